-- What guards the tables named by $1, and what they are made of, as the statements that would make it
-- so: one text for each thing, the same in every database where that thing is as it should be. To be
-- run with an empty search_path, so that all names are written in full.
with guarded as (
    select oid, 'public.' || quote_ident(relname) as name, relrowsecurity, relreplident, relacl
      from pg_class
     where relnamespace = 'public'::regnamespace and relname = any ($1) and relkind in ('r', 'p')
),
acl as (
    select name, null::text as of_column, held.* from guarded, aclexplode(relacl) as held
     union all
    select name, quote_ident(attname), held.*
      from guarded join pg_attribute on attrelid = oid and not attisdropped, aclexplode(attacl) as held
     union all
    select 'sequence public.' || quote_ident(s.relname), null, held.*
      from guarded
      join pg_depend d on d.refobjid = guarded.oid and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
      join pg_class s on s.oid = d.objid and s.relkind = 'S',
           aclexplode(s.relacl) as held
     union all
    select 'schema pixcrawler', null, held.* from pg_namespace, aclexplode(nspacl) as held where nspname = 'pixcrawler'
),
granted as (
    select name, coalesce(quote_ident(rolname), 'public') as role,
           lower(privilege_type) || coalesce(' (' || string_agg(of_column, ', ' order by of_column) || ')', '') as held
      from acl left join pg_roles r on r.oid = grantee
     -- The last came with Postgres 17.
     where coalesce(rolname, 'public') in ('public', 'anon', 'authenticated', 'service_role')
           and privilege_type <> 'MAINTAIN'
     group by name, rolname, privilege_type, of_column is null
)
select format('alter table %s enable row level security', name) as statement from guarded where relrowsecurity
 union all
select format('drop policy if exists %1$I on %2$s; create policy %1$I on %2$s%3$s for %4$s to %5$s%6$s%7$s', polname, name,
              case when polpermissive then '' else ' as restrictive' end,
              case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
                          else 'all' end,
              (select string_agg(coalesce(quote_ident(rolname), 'public'), ', ' order by rolname)
                 from unnest(polroles) as role left join pg_roles r on r.oid = role),
              ' using (' || regexp_replace(pg_get_expr(polqual, polrelid), '\s+', ' ', 'g') || ')',
              ' with check (' || regexp_replace(pg_get_expr(polwithcheck, polrelid), '\s+', ' ', 'g') || ')')
  from guarded join pg_policy on polrelid = guarded.oid
 union all
select format('revoke all on %1$s from %2$s; grant %3$s on %1$s to %2$s', name, role, string_agg(held, ', ' order by held))
  from granted group by name, role
 union all
select format('drop trigger if exists %I on %s; %s', tgname, tgrelid::regclass, pg_get_triggerdef(t.oid))
  from pg_trigger t join pg_proc p on p.oid = tgfoid
 where not tgisinternal and tgenabled in ('O', 'A') and pronamespace = 'pixcrawler'::regnamespace
       and (tgrelid in (select oid from guarded) or tgrelid = (
            select c.oid from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = 'auth' and relname = 'users'))
 union all
select format('alter publication supabase_realtime add table %s', name)
  from guarded join pg_publication_tables p on p.pubname = 'supabase_realtime'
   and p.schemaname = 'public' and 'public.' || quote_ident(p.tablename) = name
 union all
select format('alter table %s replica identity full', name) from guarded where relreplident = 'f'
 union all
select format('alter table %s add column %I %s%s%s', name, attname, format_type(atttypid, atttypmod),
              ' default ' || pg_get_expr(adbin, adrelid), case when attnotnull then ' not null' else '' end)
  from guarded
  join pg_attribute a on attrelid = oid and attnum > 0 and not attisdropped
  left join pg_attrdef on adrelid = attrelid and adnum = attnum
 union all
select lower(split_part(pg_get_indexdef(indexrelid), 'INDEX', 1)) || 'index'
       || split_part(pg_get_indexdef(indexrelid), 'INDEX', 2)
  from guarded join pg_index on indrelid = oid
 where not exists (select from pg_constraint where conindid = indexrelid)
 order by statement
