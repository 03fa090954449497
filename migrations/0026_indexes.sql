-- Of two indexes that are the same each write keeps both. Those of the migrations are looked for
-- later, so the other goes, unless a constraint needs it.
do $$
declare
    twin record;
begin
    for twin in
        select theirs.indexrelid::regclass::text as name, ours.indexrelid::regclass::text as stays
        from pg_index ours
        join pg_class c on c.oid = ours.indexrelid
        join pg_index theirs on theirs.indrelid = ours.indrelid and theirs.indexrelid <> ours.indexrelid
            and (theirs.indkey, theirs.indclass, theirs.indoption, theirs.indcollation)::text
                = (ours.indkey, ours.indclass, ours.indoption, ours.indcollation)::text
            and pg_get_expr(theirs.indpred, theirs.indrelid) is not distinct from pg_get_expr(ours.indpred, ours.indrelid)
            and theirs.indexprs is null and ours.indexprs is null
        where c.relnamespace = 'public'::regnamespace
            and c.relname in ('crawl_jobs_project_id_idx', 'crawl_jobs_dataset_id_idx', 'credit_transactions_account_id_idx',
                'datasets_project_id_idx', 'datasets_crawl_job_id_idx', 'job_chunks_user_id_idx')
            and not theirs.indisunique and theirs.indisvalid
            and not exists (select from pg_constraint where conindid = theirs.indexrelid)
    loop
        execute format('drop index %s', twin.name);
        raise warning 'index % is dropped: it is the same as %', twin.name, twin.stays;
    end loop;
end $$;
