SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.alone (
    id integer
);
CREATE TABLE public.customer (
    id integer
);
CREATE TABLE public.orders (
    id integer
);
CREATE TABLE public.stats (
    n integer
);
INSERT INTO public.alembic_version VALUES ('e4');
INSERT INTO public.alembic_version VALUES ('z1');
INSERT INTO public.customer VALUES (1);
INSERT INTO public.stats VALUES (1);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
