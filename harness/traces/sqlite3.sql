-- What sqlite3.trace recorded: fill a table, index it, ask, change, delete.
create table item(id integer primary key, name text, price real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
  insert into item select i, printf('%08x', i * 2654435761 % 4294967296), i * 1.5 from n;
create index item_name on item(name);
select count(*), sum(price) from item where name like '%a%';
select substr(name, 1, 2) k, count(*), avg(price) from item group by k order by 2 desc, 1 limit 3;
update item set name = name || 'x' where id % 3 = 0;
delete from item where id % 5 = 0;
select count(*) from item a join item b on a.id = b.id + 1;
