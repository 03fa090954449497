-- How good a picture looks, 0 to 100: mean luma, its standard deviation, sharpness, and at which quality a JPEG
-- was encoded. Rows of earlier versions have none until `pixcrawler dataset measure` has read their objects.
alter table public.images
    add column if not exists brightness smallint,
    add column if not exists contrast smallint,
    add column if not exists sharpness smallint,
    add column if not exists jpeg_quality smallint;
