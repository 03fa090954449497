-- Jobs that the frontend makes and cancels with its own client, as the user.

-- What others wrote in crawl_jobs, on which the backend has yet to act: a job without parts that is
-- to begin, or one that is to stop.
create table pixcrawler.inbox (
    job_id integer primary key references public.crawl_jobs (id) on delete cascade,
    since timestamptz not null default clock_timestamp()
);

-- Jobs under way, which are few: how many a user has.
create index crawl_jobs_open_idx on public.crawl_jobs (user_id) where status in ('pending', 'running');

-- The owner of a job is that of its dataset. A row that names only a project gets a dataset made.
create or replace function pixcrawler.own_job() returns trigger
language plpgsql set search_path = '' as $$
declare
    found_in integer;
begin
    if new.dataset_id is null and new.project_id is not null then
        insert into public.datasets (user_id, project_id, name, keywords, max_images)
        select user_id, id, new.name, new.keywords, new.max_images
        from public.projects where id = new.project_id
        returning id into new.dataset_id;
        if new.dataset_id is null then
            raise exception 'there is no project % of yours', new.project_id using errcode = 'foreign_key_violation';
        end if;
    end if;
    if new.dataset_id is null then
        raise exception 'a job needs a dataset_id or a project_id' using errcode = 'not_null_violation';
    end if;
    select user_id, project_id into new.user_id, found_in from public.datasets where id = new.dataset_id;
    if not found then
        raise exception 'there is no dataset % of yours', new.dataset_id using errcode = 'foreign_key_violation';
    end if;
    if new.project_id <> found_in or (new.project_id is not null and found_in is null) then
        raise exception 'dataset % does not belong to project %', new.dataset_id, new.project_id
            using errcode = 'foreign_key_violation';
    end if;
    new.project_id := found_in;
    -- Every change of a row is sent to whoever watches, and a client may write in a loop.
    if current_user in ('anon', 'authenticated') then
        if octet_length(new.keywords::text) > 5000 then
            raise exception 'keywords take % bytes, of at most 5000', octet_length(new.keywords::text)
                using errcode = 'program_limit_exceeded';
        end if;
        if (select count(*) from public.crawl_jobs
            where user_id = new.user_id and status in ('pending', 'running')) >= 1000 then
            raise exception '1000 jobs of yours are under way' using errcode = 'program_limit_exceeded';
        end if;
    end if;
    return new;
end $$;

-- All that a user does to a job that is there: to stop it.
create function pixcrawler.stop_job() returns trigger
language plpgsql set search_path = '' as $$
begin
    if current_user not in ('anon', 'authenticated') then
        return new;
    end if;
    -- Nothing is changed, and nobody is told.
    if new.status = old.status then
        return null;
    end if;
    if new.status <> 'cancelled' or old.status not in ('pending', 'running') then
        raise exception 'a job that is % cannot be made %: one that is pending or running can be cancelled',
            old.status, new.status using errcode = 'check_violation';
    end if;
    return new;
end $$;

create or replace trigger stop_job before update of status on public.crawl_jobs
    for each row execute function pixcrawler.stop_job();

-- Looks at the end of the transaction, when what the backend writes is all there.
create function pixcrawler.note_job() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    insert into pixcrawler.inbox (job_id)
    select shown.id from public.crawl_jobs shown
    where shown.id = new.id and case shown.status
        when 'pending' then not exists (select from pixcrawler.job where job_id = shown.id)
        when 'cancelled' then shown.completed_at is null or exists (
            select from pixcrawler.chunk
            where job_id = shown.id and state in ('queued', 'running', 'waiting', 'satisfied'))
    end
    on conflict do nothing;
    if found then
        perform pg_notify('pixcrawler', 'inbox:' || new.id);
    end if;
    return null;
end $$;

drop trigger if exists note_new_job on public.crawl_jobs;
create constraint trigger note_new_job after insert on public.crawl_jobs
    deferrable initially deferred for each row execute function pixcrawler.note_job();
drop trigger if exists note_stopped_job on public.crawl_jobs;
create constraint trigger note_stopped_job after update of status on public.crawl_jobs
    deferrable initially deferred for each row when (new.status = 'cancelled' and old.status <> 'cancelled')
    execute function pixcrawler.note_job();

create policy pixcrawler_insert on public.crawl_jobs for insert to authenticated
    with check ((select auth.uid()) = user_id);
create policy pixcrawler_update on public.crawl_jobs for update to authenticated
    using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
grant insert (dataset_id, project_id, name, keywords, max_images), update (status)
    on public.crawl_jobs to authenticated;
do $$ begin
    execute format(
        'grant usage on sequence %s to authenticated', pg_get_serial_sequence('public.crawl_jobs', 'id'));
end $$;
