-- The database and its two roles; as a superuser, or on a server that you rent as who may make roles
-- and databases there, with psql, and as often as one likes:
--
--   marketplace_owner  owns the tables; `marketplace migrate` alone connects as it
--   marketplace        what web, workers and scheduler connect as: `migrate` gives it its rights,
--                      which are rows, and of the audit log and of consents adding alone
--
-- Their passwords come from the environment (MARKETPLACE_OWNER_PASSWORD, MARKETPLACE_PRODUCT_PASSWORD)
-- and so stand in no list of processes. Run it again after a password was changed there.

\set ON_ERROR_STOP on
\set owner_password `printenv MARKETPLACE_OWNER_PASSWORD`
\set product_password `printenv MARKETPLACE_PRODUCT_PASSWORD`

-- Without both nothing happens: a role without a password would look like one that works.
SELECT length(:'owner_password') < 32 OR length(:'product_password') < 32 AS lacking \gset
\if :lacking
    \warn 'MARKETPLACE_OWNER_PASSWORD and MARKETPLACE_PRODUCT_PASSWORD have to be set.'
    SELECT 1 / 0;
\endif

SELECT rolsuper AS is_superuser FROM pg_roles WHERE rolname = current_user \gset

-- For this session: what is said here is in no log of the server. Of one that you rent its owner decides
-- that: see what it logs.
\if :is_superuser
    SET log_statement = none;
    SET log_min_error_statement = panic;
    SET log_min_duration_statement = -1;
\endif
SET password_encryption = 'scram-sha-256';

SELECT format('CREATE ROLE %I', role)
FROM unnest(ARRAY['marketplace_owner', 'marketplace']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
ALTER ROLE marketplace_owner LOGIN PASSWORD :'owner_password';
ALTER ROLE marketplace LOGIN PASSWORD :'product_password';
\if :is_superuser
    ALTER ROLE marketplace_owner NOSUPERUSER NOCREATEROLE NOCREATEDB;
    ALTER ROLE marketplace NOSUPERUSER NOCREATEROLE NOCREATEDB;
\else
    -- To make the database in its name; taken back below.
    GRANT marketplace_owner TO CURRENT_USER;
\endif

SELECT 'CREATE DATABASE marketplace OWNER marketplace_owner TEMPLATE template0 ENCODING ''UTF8'''
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'marketplace') \gexec

REVOKE ALL ON DATABASE marketplace FROM PUBLIC;
-- TEMPORARY: an import of providers is looked through in temporary tables first.
GRANT CONNECT, TEMPORARY ON DATABASE marketplace TO marketplace;

\connect marketplace
-- Before PostgreSQL 15 everybody may make tables in it.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE, USAGE ON SCHEMA public TO marketplace_owner;

\if :is_superuser
\else
    REVOKE marketplace_owner FROM CURRENT_USER;
\endif
