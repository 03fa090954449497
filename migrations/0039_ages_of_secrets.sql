-- When each secret was made: a new key of links is known to all processes before the first of them signs
-- with it. What is there already is old.
alter table pixcrawler.secret add column created_at timestamptz not null default '-infinity';
alter table pixcrawler.secret alter column created_at set default now();
