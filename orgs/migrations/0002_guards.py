"""What the database itself insists on (shared: runs once, in public)."""

from django.db import migrations

LAST_OWNER = """
CREATE FUNCTION public.orgs_keep_an_owner() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    -- The lock makes two owners leaving at the same moment wait for each other; the count then sees the first one gone.
    PERFORM 1 FROM public.orgs_org WHERE id = OLD.org_id FOR UPDATE;
    IF FOUND AND NOT EXISTS (SELECT 1 FROM public.orgs_membership WHERE org_id = OLD.org_id AND role = 'owner') THEN
        RAISE EXCEPTION 'org % would lose its last owner', OLD.org_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'orgs_membership_last_owner';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER orgs_membership_last_owner
    AFTER UPDATE OF role, org_id OR DELETE ON public.orgs_membership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.role = 'owner')
    EXECUTE FUNCTION public.orgs_keep_an_owner();
"""

APPEND_ONLY = """
CREATE FUNCTION public.orgs_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER orgs_audit_append_only BEFORE UPDATE OR DELETE ON public.orgs_auditentry
    FOR EACH ROW EXECUTE FUNCTION public.orgs_audit_is_append_only();
CREATE TRIGGER orgs_audit_no_truncate BEFORE TRUNCATE ON public.orgs_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION public.orgs_audit_is_append_only();
"""

# Rate limits and the shared cache may be forgotten in a crash; unlogged, they cost no write-ahead log.
UNLOGGED = """
ALTER TABLE public.orgs_ratebucket SET UNLOGGED;
CREATE UNLOGGED TABLE public.orgs_cache (
    cache_key varchar(255) PRIMARY KEY, value text NOT NULL, expires timestamp with time zone NOT NULL
);
CREATE INDEX orgs_cache_expires ON public.orgs_cache (expires);
"""


class Migration(migrations.Migration):
    dependencies = [("orgs", "0001_initial")]

    operations = [
        migrations.RunSQL(
            LAST_OWNER,
            "DROP TRIGGER orgs_membership_last_owner ON public.orgs_membership; DROP FUNCTION public.orgs_keep_an_owner();",
        ),
        migrations.RunSQL(
            APPEND_ONLY,
            "DROP TRIGGER orgs_audit_no_truncate ON public.orgs_auditentry;"
            "DROP TRIGGER orgs_audit_append_only ON public.orgs_auditentry; DROP FUNCTION public.orgs_audit_is_append_only();",
        ),
        migrations.RunSQL(UNLOGGED, "DROP TABLE public.orgs_cache; ALTER TABLE public.orgs_ratebucket SET LOGGED;"),
    ]
