-- Types beside the first ones: smallint, varchar(n), numeric(p,s), double precision, date, timestamp, interval, uuid.
CREATE TABLE kinds (
  id uuid PRIMARY KEY,
  small smallint,
  name varchar(5),
  price numeric(6,2) DEFAULT 1,
  ratio double precision,
  day date,
  at timestamp,
  span interval
);
INSERT INTO kinds VALUES
  ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1, 'abc', 12.345, 0.1, '2024-02-29', '2024-02-29 12:30:00', '1 day'),
  ('{B0EEBC999C0B4EF8BB6D6BB9BD380A11}', -32768, 'abcde  ', -9999.99, 1e300, '1999-12-31', '1999-12-31 23:59:59.999999', '1 month 2 days 03:04:05'),
  ('00000000-0000-0000-0000-000000000000', NULL, NULL, DEFAULT, 'NaN', NULL, NULL, NULL);
SELECT * FROM kinds ORDER BY id;
SELECT id, small FROM kinds WHERE id = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11';
SELECT small FROM kinds WHERE small < 0;
SELECT id FROM kinds ORDER BY ratio DESC NULLS LAST;
SELECT id FROM kinds ORDER BY span NULLS FIRST;
-- what does not fit
INSERT INTO kinds (id, small) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 32768);
INSERT INTO kinds (id, name) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 'abcdef');
INSERT INTO kinds (id, price) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 9999.995);
INSERT INTO kinds (id) VALUES ('a0eebc99');
INSERT INTO kinds (id, day) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '2023-02-29');
INSERT INTO kinds (id, at) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 'soon');
INSERT INTO kinds (id, span) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 'a while');
INSERT INTO kinds (id, ratio) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '1e400');
INSERT INTO kinds (id, ratio) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 'a lot');
INSERT INTO kinds (id, small) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 'x');
INSERT INTO kinds (id, name) VALUES (7, 'x');
UPDATE kinds SET small = small + 1 WHERE small = 1 RETURNING small;
UPDATE kinds SET small = small * 32767 WHERE small = 2;
UPDATE kinds SET name = name || 'd' WHERE name = 'abc' RETURNING name;
UPDATE kinds SET name = name || 'de' WHERE name = 'abcd';
CREATE TABLE bad (x varchar(0));
CREATE TABLE bad (x varchar(10485761));
CREATE TABLE bad (x numeric(0));
CREATE TABLE bad (x numeric(1001));
-- casts
SELECT 'abcdef'::varchar(3), 12.345::numeric(6,2), 2.5::smallint, 3.5::int, 2.5::float8::int, 3.5::float8::int, (-2.5)::numeric::int;
SELECT 1::smallint::text, 0.1::float8::numeric, 1e20::float8::numeric, 123456789012345678::float8, 1e-7::float8;
SELECT '2024-03-10 15:00:00'::timestamp::date, '2024-03-10'::date::timestamp, '2024-03-10 15:00:00+02'::timestamptz::timestamp;
SELECT '2024-03-10 15:00:00+05'::timestamp, timestamp '2024-03-10T15:00:00.5';
SELECT '40000'::int::smallint;
SELECT 1e19::float8::bigint;
SELECT 'NaN'::float8::int;
SELECT true::smallint;
SELECT '{"a": 1.5, "b": 2}'::jsonb;
-- numbers of several types
SELECT 1.5 > 1, 1::smallint = 1::bigint, 0.1::float8 = 0.1, 2::numeric = 2::int, 1::smallint + 1::smallint, 1::smallint + 1::bigint;
SELECT 1 / 2, 1 / 2.0, 1 / 2::float8, 7 % 4.5, 1.5 * 2, 0.1::float8 + 0.2::float8, -(1.5::float8), abs(-1.5::float8), abs((-3)::smallint);
SELECT 1::float8 / 0;
SELECT 1e300::float8 * 1e300::float8;
SELECT 1e-300::float8 * 1e-300::float8;
SELECT 5::float8 % 2;
SELECT round(2.5), round(-2.5), round(2.345, 2), round(1250, -2), trunc(2.999, 1), floor(-1.5), ceil(-1.5), ceil(1.2), ceiling(1.0);
SELECT round(2.5::float8), round(3.5::float8), floor(-1.5::float8), trunc(-1.5::float8), round(1.255::numeric, 2);
SELECT sum(small), avg(small), sum(ratio), min(day), max(at), sum(span), avg(price) FROM kinds WHERE ratio < 2;
SELECT max(id) FROM kinds;
-- dates, instants, intervals
SELECT date '2024-02-28' + 2, 2 + date '2024-02-28', date '2024-03-01' - 1, date '2024-03-01' - date '2024-02-01';
SELECT date '2024-01-31' + interval '1 month', timestamp '2024-03-31 10:00' - interval '1 month 1 day', interval '1 hour' + timestamp '2024-01-01';
SELECT timestamp '2024-03-10 12:00' - timestamp '2024-03-08 18:30', timestamptz '2024-01-01 00:00+00' - timestamptz '2024-01-02 01:00+00';
SELECT date '2024-03-10' > timestamp '2024-03-09 23:00', date '2024-03-10' = timestamptz '2024-03-10 00:00+00', timestamp '2024-01-01' < timestamptz '2024-01-01 00:00:01+00';
SELECT interval '1 day' * 2.5, 3 * interval '1 month', interval '1 month' / 4, interval '1 day' + interval '25 hours', - interval '1 day 2 hours';
SELECT interval '1 mon' = interval '30 days', interval '24 hours' < interval '1 day 1 second', interval '-1 year 2 months', interval '100:00:00', interval '0';
SELECT interval '1 day' / 0;
SELECT date '2024-01-01' + date '2024-01-01';
SELECT date '2024-01-01' * 2;
SELECT timestamp '2024-01-01' + 1;
SELECT extract(year FROM date '2024-02-29'), extract(month FROM timestamp '2024-02-29 12:30'), extract(epoch FROM timestamptz '2024-01-01 00:00:00.5+00'), extract(second FROM timestamp '2024-01-01 00:00:07.25');
SELECT extract(dow FROM date '2024-03-10'), extract(isodow FROM date '2024-03-10'), extract(doy FROM date '2024-12-31'), extract(week FROM date '2021-01-03'), extract(isoyear FROM date '2021-01-03'), extract(quarter FROM date '2024-04-01');
SELECT extract(epoch FROM interval '1 year 1 month 1 day 1 second'), extract(hour FROM interval '27:30:00'), extract(day FROM interval '3 days 4 hours'), extract(epoch FROM date '2024-01-01'), extract(milliseconds FROM timestamp '2024-01-01 00:00:01.5');
SELECT extract(hour FROM date '2024-01-01');
SELECT extract(fortnight FROM timestamp '2024-01-01');
SELECT date_trunc('month', timestamp '2024-03-10 12:34:56'), date_trunc('hour', timestamptz '2024-03-10 12:34:56+00');
-- keys, joins, grouping
CREATE TABLE refers (kind uuid REFERENCES kinds, day date, PRIMARY KEY (kind, day));
INSERT INTO refers VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2024-01-01'), ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2024-01-02');
INSERT INTO refers VALUES ('c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2024-01-01');
SELECT k.name, count(*), min(r.day) FROM kinds k JOIN refers r ON r.kind = k.id GROUP BY k.name;
SELECT r.day FROM refers r WHERE r.kind = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AND r.day BETWEEN '2024-01-02' AND '2024-12-31';
SELECT count(*) FROM (VALUES (interval '1 mon'), (interval '30 days'), (interval '31 days')) AS v (i) GROUP BY i ORDER BY 1;
SELECT DISTINCT x FROM (VALUES (0::float8), ('-0'::float8), ('NaN'::float8), ('NaN'::float8)) AS v (x) ORDER BY x;
SELECT price FROM kinds WHERE price IN (1, 12.35) ORDER BY price;
SELECT day FROM kinds WHERE day = ANY ('{2024-02-29,1999-12-31}') ORDER BY day;
SELECT interval '1.5 hours', interval '1.5 days', interval '2.5 months', interval '-1.5 weeks', interval '90', interval '1.000001 seconds', interval '1.5 years';
SELECT 1e300::float8 / 1e-300::float8;
