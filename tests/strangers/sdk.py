"""What the original's SDK makes of a project with one dataset, as one line of JSON. Arguments: address of the API,
token, id of the project, path of the archive that it is to download."""

import hashlib
import json
import sys
import zipfile

import pixcrawler

base_url, token, project_id, archive = sys.argv[1:]
pixcrawler.auth(token, base_url)
project = pixcrawler.project(project_id)
listed = project.datasets(page=1, size=10)
dataset = project.dataset(listed[0]["id"])
loaded = list(dataset.load())
with zipfile.ZipFile(dataset.download(archive)) as downloaded:
    assert downloaded.testzip() is None
    pictures = {name: downloaded.read(name) for name in downloaded.namelist() if "/" in name}
try:
    pixcrawler.dataset(999_999).load()
    missing = None
except pixcrawler.NotFoundError as error:
    missing = str(error)
try:
    pixcrawler.dataset(999_999).download(f"{archive}.missing")
    missing_archive = None
except pixcrawler.NotFoundError as error:
    missing_archive = str(error)
said = {
    "project": project.info()["name"],
    "listed": [known["name"] for known in listed],
    "others": pixcrawler.datasets(page=2, size=10),
    "info": dataset.info()["id"],
    "name": dataset.name,
    "image_count": dataset.image_count,
    "size_mb": dataset.size_mb,
    "len": len(dataset),
    "labels": sorted(picture["label"] for picture in loaded),
    "hashes": sorted(picture["sha256"] for picture in loaded),
    "links": [picture["download_url"] for picture in loaded],
    "missing": missing,
    "paths": sorted(picture["file_name"] for picture in loaded),
    "downloaded_paths": sorted(pictures),
    "downloaded_hashes": sorted(hashlib.sha256(picture).hexdigest() for picture in pictures.values()),
    "missing_archive": missing_archive,
}
print(json.dumps(said))
