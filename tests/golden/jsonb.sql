-- What goes in comes out in normal form.
SELECT '{"bb": 1, "a": 2, "c": 3, "a": 4}'::jsonb;
SELECT ' [1, 2.50, -0, 1e3, 1E-2, 12345678901234567890.10, true, null, {}, []] '::jsonb;
SELECT '"\u00e9\ud83d\ude00\n\t\"\\\/\u0001"'::jsonb;
SELECT '{"a": {"b": [1, {"c": null}]}}'::jsonb::text, '"x"'::jsonb::text;
SELECT ''::jsonb;
SELECT '{'::jsonb;
SELECT '{"a" 1}'::jsonb;
SELECT '{"a": }'::jsonb;
SELECT '{"a": 1,}'::jsonb;
SELECT '{a: 1}'::jsonb;
SELECT '[1 2]'::jsonb;
SELECT '[1,]'::jsonb;
SELECT '1 2'::jsonb;
SELECT '01'::jsonb, '1.'::jsonb;
SELECT '1.'::jsonb;
SELECT 'tru'::jsonb;
SELECT '"a'::jsonb;
SELECT '"\x"'::jsonb;
SELECT '"\u12g4"'::jsonb;
SELECT '"\u0000"'::jsonb;
SELECT '"\ud83d"'::jsonb;
SELECT '"\ude00"'::jsonb;
SELECT E'"a\tb"'::jsonb;
SELECT E'{"one": 1,\n "two": x}'::jsonb;
SELECT '{"a long key to begin with": "and a long value behind it", "then": oops, "more": 1}'::jsonb;

-- Members.
SELECT '{"a": {"b": 1}, "t": "x", "n": null}'::jsonb -> 'a';
SELECT '{"a": {"b": 1}, "t": "x", "n": null}'::jsonb ->> 'a';
SELECT '{"t": "x"}'::jsonb -> 't', '{"t": "x"}'::jsonb ->> 't', '{"n": null}'::jsonb -> 'n', '{"n": null}'::jsonb ->> 'n';
SELECT '{"t": "x"}'::jsonb -> 'u' IS NULL, '{"t": "x"}'::jsonb -> 0 IS NULL;
SELECT '["a", "b", {"c": 1}]'::jsonb -> 0, '["a", "b"]'::jsonb ->> -1, '["a", "b"]'::jsonb -> 2, '["a", "b"]'::jsonb -> -3;
SELECT '["a", "b"]'::jsonb -> '0';
SELECT '"foo"'::jsonb -> 0, '"foo"'::jsonb -> 1, '"foo"'::jsonb -> 'foo';
SELECT '{"a": {"b": [10, {"c": "x"}]}}'::jsonb #> '{a,b,1}', '{"a": {"b": [10, {"c": "x"}]}}'::jsonb #>> '{a,b,1,c}';
SELECT '{"a": [1, 2, 3]}'::jsonb #> '{a,-1}', '{"a": [1, 2, 3]}'::jsonb #> '{a,x}', '{"a": [1, 2, 3]}'::jsonb #> '{a,9}';
SELECT '{"a": 1}'::jsonb #> '{}', '{"a": 1}'::jsonb #>> '{}', '"x"'::jsonb #>> '{}', '"x"'::jsonb #> '{}';
SELECT '{"a": {"b": null}}'::jsonb #> ARRAY['a', 'b'], '{"a": {"b": null}}'::jsonb #>> ARRAY['a', 'b'];
SELECT '{"a": 1}'::jsonb #> ARRAY['a', NULL];
SELECT jsonb_extract_path('{"a": {"b": [1, 2]}}', 'a', 'b', '1'), jsonb_extract_path_text('{"a": "x"}', 'a');
SELECT NULL::jsonb -> 'a', '{"a": 1}'::jsonb -> NULL;
SELECT 'a' -> 'b';
SELECT 1 -> 'b';
SELECT '{}'::jsonb -> true;
SELECT '{}'::jsonb #> 1;

-- How tightly operators bind.
SELECT '{"b": "c"}'::jsonb -> 'b' = '"c"';
SELECT '{"b": "x"}'::jsonb ->> 'b' || 'c';
SELECT '{"b": 1}'::jsonb -> 'b' @> '1' AND NOT '{"b": 1}'::jsonb ? 'c';
SELECT 'x' || '{"b": 1}'::jsonb ->> 'b';
SELECT ('{"b": 4}'::jsonb ->> 'b')::int + 1, ('{"b": 4}'::jsonb -> 'b')::int * 2;
SELECT '{"b": [1, 2]}'::jsonb -> 'b' -> 1, '{"b": [1, 2]}'::jsonb -> 'b' - 0;

-- Containment and keys.
SELECT '{"a": 1, "b": 2}'::jsonb @> '{"b": 2}', '{"a": 1}'::jsonb @> '{"b": 2}', '{"a": 1}'::jsonb @> '{}';
SELECT '[1, 2, 3]'::jsonb @> '[3, 1, 1]', '[1, 2]'::jsonb @> '2', '2'::jsonb @> '[2]', '[1, [2]]'::jsonb @> '[2]', '[1, [2]]'::jsonb @> '[[2]]';
SELECT '{"a": [1, {"b": 2, "c": 3}]}'::jsonb @> '{"a": [{"b": 2}]}', '{"a": {"b": 1}}'::jsonb @> '{"a": {}}', '{"a": []}'::jsonb @> '{"a": {}}';
SELECT '1.0'::jsonb @> '1', '{"b": 2}'::jsonb <@ '{"a": 1, "b": 2.00}', '[1]' <@ '[1, 2]'::jsonb;
SELECT '{"a": 1}'::jsonb ? 'a', '{"a": {"b": 1}}'::jsonb ? 'b', '["a", 1]'::jsonb ? 'a', '["a", 1]'::jsonb ? '1', '"a"'::jsonb ? 'a', '1'::jsonb ? '1';
SELECT '{"a": 1}'::jsonb @> 'x';
SELECT '{"a": 1}'::jsonb ? 1;
SELECT 'a' ? 'b';
SELECT 1 ? 'b';

-- Put together and taken apart.
SELECT '{"a": 1, "b": 2}'::jsonb || '{"b": 3, "c": 4}', '[1, 2]'::jsonb || '[3]', '[1]'::jsonb || '{"a": 1}', '{"a": 1}'::jsonb || '[1]';
SELECT '1'::jsonb || '2', '[]'::jsonb || '1', '{}'::jsonb || '[]', '[]'::jsonb || '{}', '{}'::jsonb || '1', '{}'::jsonb || '{}';
SELECT '{"a": 1, "b": 2}'::jsonb - 'a', '{"a": 1}'::jsonb - 'x', '["a", "b", "a"]'::jsonb - 'a', '["a", "b", "c"]'::jsonb - 1, '["a", "b", "c"]'::jsonb - -1, '["a"]'::jsonb - 5, '["a"]'::jsonb - -5;
SELECT '1'::jsonb - 'a';
SELECT '1'::jsonb - 0;
SELECT '{"a": 1}'::jsonb - 0;
SELECT '{"a": 1}'::jsonb + 1;
SELECT '{"a": 1}'::jsonb || 'x'::text;
SELECT '{"a": 1}'::jsonb || 1;
SELECT jsonb_set('{"a": 1}', '{a}', '2'), jsonb_set('{"a": 1}', '{b}', '2'), jsonb_set('{"a": 1}', '{b}', '2', false), jsonb_set('{"a": 1}', '{b,c}', '2');
SELECT jsonb_set('{"a": [1, {"b": 2}]}', '{a,1,b}', '[3]'), jsonb_set('{"a": [1, 2]}', '{a,-1}', '"x"'), jsonb_set('[1, 2]', '{9}', '3'), jsonb_set('[1, 2]', '{-9}', '3'), jsonb_set('[1, 2]', '{9}', '3', false);
SELECT jsonb_set('{"a": 1}', '{a,b}', '2'), jsonb_set('[]', '{0}', '1'), jsonb_set('{}', '{}', '1'), jsonb_set('{"a": 1}', '{a}', NULL);
SELECT jsonb_set('{"bb": 1}', ARRAY['a'], to_jsonb('x'::text));
SELECT jsonb_set('1', '{a}', '2');
SELECT jsonb_set('[1]', '{a}', '2');
SELECT jsonb_set('{"a": [1]}', '{a,x,y}', '2');
SELECT jsonb_set('{"a": 1}', ARRAY['a', NULL], '2');
SELECT jsonb_set('{"a": {}}', ARRAY['a', NULL], '2');
SELECT jsonb_set('{"a": 1}', 'a', '2');

-- Built.
SELECT jsonb_build_object('b', 1, 'a', 'x', 'c', NULL, 'd', true, 'e', '{"x": 1}'::jsonb, 'f', 1.50, 'b', 2);
SELECT jsonb_build_object(1, 2, true, false, 1.5, 'x'), jsonb_build_object(), jsonb_build_array(), jsonb_build_array(1, 'a', NULL, '[1]'::jsonb, 2.0);
SELECT jsonb_build_object('a');
SELECT jsonb_build_object(NULL, 1);
SELECT jsonb_build_object('a', 1, NULL, 1);
SELECT jsonb_build_object('{}'::jsonb, 1);
SELECT to_jsonb(1), to_jsonb('x'::text), to_jsonb(true), to_jsonb(1.50), to_jsonb('{"b": 1, "a": 2}'::jsonb), to_jsonb(NULL::int), to_jsonb(0.5::float8);
SELECT to_jsonb('2024-02-03 04:05:06.7'::timestamp), to_jsonb('2024-02-03'::date), to_jsonb('{3f333df6-90a4-4fda-8dd3-9485d27cee36}'::uuid);
SELECT to_jsonb(ARRAY[3, 1, 2]), to_jsonb(ARRAY['b', 'a']);
SELECT to_jsonb('x');
SELECT jsonb_typeof('{}'), jsonb_typeof('[]'), jsonb_typeof('1'), jsonb_typeof('"x"'), jsonb_typeof('true'), jsonb_typeof('null'), jsonb_typeof(NULL);
SELECT jsonb_array_length('[1, [2, 3]]'), jsonb_array_length('[]');
SELECT jsonb_array_length('{}');
SELECT jsonb_array_length('1');
SELECT jsonb_array_length();

-- Casts.
SELECT '5'::jsonb::int, '5.5'::jsonb::int, '5.50'::jsonb::numeric, 'true'::jsonb::bool, '1e2'::jsonb::bigint, '0.5'::jsonb::float8, '7'::jsonb::smallint;
SELECT '"5"'::jsonb::int;
SELECT '[5]'::jsonb::int;
SELECT '{}'::jsonb::numeric;
SELECT 'null'::jsonb::bool;
SELECT '1'::jsonb::bool;
SELECT 'true'::jsonb::int;
SELECT '99999999999'::jsonb::int;
SELECT 1::jsonb;
SELECT '{"a": 1}'::text::jsonb -> 'a';

-- Order and groups.
CREATE TABLE d (id int PRIMARY KEY, j jsonb);
INSERT INTO d VALUES (1, '{"a": 1}'), (2, '[]'), (3, '[1, 2]'), (4, '1'), (5, '1.0'), (6, 'null'), (7, NULL), (8, '"b"'), (9, 'true'),
  (10, '{"b": 1, "aa": 1}'), (11, '{}'), (12, '[[]]'), (13, '"a"'), (14, 'false'), (15, '{"a": 1.00}'), (16, '-3.5'), (17, '[1, "x"]'), (18, '{"a": 2}');
SELECT id, j FROM d ORDER BY j, id;
SELECT id FROM d ORDER BY j DESC NULLS LAST, id;
SELECT count(DISTINCT j), count(j) FROM d;
SELECT j, count(*) FROM d GROUP BY j HAVING count(*) > 1 ORDER BY j;
SELECT a.id, b.id FROM d a JOIN d b ON a.j = b.j AND a.id < b.id ORDER BY 1;
SELECT '[]'::jsonb < 'null', '{"a": 1, "b": 1}'::jsonb > '{"c": 1}', '1'::jsonb = '1.00', '{"b": 1, "a": 2}'::jsonb = '{"a": 2, "b": 1}', '"a"'::jsonb <> '"b"';
SELECT id FROM d WHERE j IN ('1', '{"a": 1}') ORDER BY id;
SELECT '1'::jsonb = 1;
SELECT max(j) FROM d;
CREATE TABLE k (j jsonb PRIMARY KEY);
INSERT INTO k VALUES ('{"a": 1, "b": [true]}'), ('1'), ('"x"');
INSERT INTO k VALUES ('{"b": [true], "a": 1.0}');
INSERT INTO k VALUES ('1.00') ON CONFLICT DO NOTHING;
SELECT j FROM k WHERE j = '{"b": [true], "a": 1}';
SELECT j FROM k ORDER BY j;

-- In a table.
CREATE TABLE events (id int PRIMARY KEY, data jsonb NOT NULL DEFAULT '{}', kind text GENERATED ALWAYS AS (data ->> 'kind') STORED, CHECK (data ? 'kind'));
INSERT INTO events VALUES (1, '{"kind": "sale", "amount": 12.50, "tags": ["x", "y"]}'), (2, '{"kind": "refund", "amount": -2}');
INSERT INTO events VALUES (3, '{"amount": 1}');
INSERT INTO events VALUES (4, '{"kind": "sale"');
INSERT INTO events (id) VALUES (5);
UPDATE events SET data = data || '{"seen": true}' WHERE data @> '{"tags": ["y"]}' RETURNING *;
UPDATE events SET data = jsonb_set(data, '{amount}', to_jsonb((data ->> 'amount')::numeric + 1)) WHERE kind = 'refund' RETURNING data;
SELECT kind, sum((data -> 'amount')::numeric) FROM events GROUP BY kind ORDER BY kind;
CREATE INDEX ON events ((data ->> 'kind'));
CREATE INDEX ON events ((data -> 'amount'));
SELECT id FROM events WHERE data ->> 'kind' = 'sale';
SELECT id FROM events WHERE data -> 'amount' = '12.5';
DELETE FROM events WHERE data - 'seen' @> '{"kind": "sale"}' RETURNING id;
