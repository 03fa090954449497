-- Where Drizzle made the tables, what a profile begins with would hold it for ever: the frontend
-- did not make these rows, and cannot know that they must go first.
create function pixcrawler.end_profile() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    delete from public.notification_preferences where user_id = old.id;
    delete from public.credit_accounts where user_id = old.id;
    return old;
end $$;

create or replace trigger end_profile before delete on public.profiles
    for each row execute function pixcrawler.end_profile();
