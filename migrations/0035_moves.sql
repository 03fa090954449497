-- The jobs of a dataset show the project that it belongs to, also when the frontend moves it.
create function pixcrawler.move_jobs() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    update public.crawl_jobs set project_id = new.project_id
    where dataset_id = new.id and project_id is distinct from new.project_id;
    return null;
end $$;

create or replace trigger move_jobs after update of project_id on public.datasets
    for each row when (new.project_id is distinct from old.project_id) execute function pixcrawler.move_jobs();
