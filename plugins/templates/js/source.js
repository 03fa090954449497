// Pictures from My source.

import { api, candidate, count, dimensions, each, get, licenseFromUrl, need, paged } from "./sdk/pixcrawler.js";

export const source = paged({
  info: {
    id: "my-source",
    name: "My source",
    version: "0.1.0",
    description: "Photographs by My source.",
    hosts: [api("api.example.org")],
    requestsPerMinute: 60,
  },

  page: (query, number) => get("https://api.example.org/photos", { q: query.text, page: number }),

  read(query, number, answer) {
    // Without these fields the answer is `layout-changed`.
    const list = answer.response().json("photos", "pages");
    return { ...each(list.photos, photo), more: number < count(list, "pages") };
  },
});

const photo = (item) =>
  candidate(need(item, "file"), {
    id: item.id,
    pageUrl: item.page,
    title: item.title,
    creator: item.author,
    license: item.license ? licenseFromUrl(item.license) : undefined,
    dimensions: dimensions(item.width, item.height),
  });
