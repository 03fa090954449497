-- What a source calls one thing (a candidate's `id`): requests for things that a dataset
-- has already are left out.

alter table pixcrawler.chunk
    -- Candidates of this chunk up to this position are of an earlier walk, before the
    -- source began anew. Those of the present one say nothing about what is there: a step
    -- may have given a part of a thing, and give the rest next.
    add column walk_from integer not null default 0;

create index candidate_item_idx on pixcrawler.candidate (job_id, (candidate ->> 'id'))
    where candidate ->> 'id' is not null;
create index job_dataset_id_idx on pixcrawler.job (dataset_id);
