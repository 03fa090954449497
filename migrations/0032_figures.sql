-- The figures for Prometheus count chunks by state: in an index, not in the rows, which hold much more.
create index if not exists chunk_state_idx on pixcrawler.chunk (state);
