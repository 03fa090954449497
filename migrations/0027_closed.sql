-- With an empty path types are looked for among the temporary ones of the session first, where a user
-- may have made one of any name.
do $$
declare
    open regprocedure;
begin
    for open in select oid from pg_proc where pronamespace = 'pixcrawler'::regnamespace and prokind = 'f' loop
        execute format('alter function %s set search_path = pg_catalog, pg_temp', open);
    end loop;
end $$;

-- Every change of a dataset is sent to whoever watches it.
create function pixcrawler.bound_dataset() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_user in ('anon', 'authenticated')
        and octet_length(new.keywords::text) + octet_length(coalesce(new.description, '')) > 6000 then
        raise exception 'keywords and description take % bytes, of at most 6000',
            octet_length(new.keywords::text) + octet_length(coalesce(new.description, ''))
            using errcode = 'program_limit_exceeded';
    end if;
    return new;
end $$;

create or replace trigger bound_dataset before insert or update of keywords, description on public.datasets
    for each row execute function pixcrawler.bound_dataset();
