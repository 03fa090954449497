-- Which changes browsers see live. Not images: a publication cannot leave out updates for
-- one table, and row filters would break them; who sees a job's `revision` move asks for
-- the images after its last.
do $$
declare
    published name;
begin
    if not exists (select from pg_publication where pubname = 'supabase_realtime') then
        raise notice 'there is no publication supabase_realtime: no live changes';
        return;
    end if;
    foreach published in array array['crawl_jobs', 'datasets', 'notifications'] loop
        if not exists (
            select from pg_publication_tables
            where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = published
        ) then
            execute format('alter publication supabase_realtime add table public.%I', published);
        end if;
    end loop;
exception when insufficient_privilege then
    raise warning 'publication supabase_realtime belongs to another role: add crawl_jobs, datasets and notifications to it by hand';
end $$;
