"""The inputs of the real programs, made from fixed seeds.

Boundary    INPUTS: a program's name -> a function that returns (file name, text).
Invariants  The same text each time. What a program prints does not depend on addresses or on the order of
            hashes.
"""
from __future__ import annotations

import random

SEED = 1


def _python() -> tuple:
    return "program.py", '''\
import json, random
draw = random.Random(1)
words = ["".join(draw.choices("abcdefghij", k=draw.randint(3, 24))) for _ in range(20000)]
index = {}
for place, word in enumerate(words * 3):
    index.setdefault(word[:4], []).append((place, word))
records = [{"id": i, "name": w, "tags": w[::2].split("a"), "score": i * 1.5} for i, w in enumerate(words)]
text = json.dumps(records)
back = json.loads(text)
text2 = "\\n".join(sorted(r["name"].upper() + str(r["score"]) for r in back))
print(len(index), len(text), len(text2), sum(len(v) for v in index.values()))
'''


def _perl() -> tuple:
    return "program.pl", '''\
use strict; my ($x, %count, @lines) = (1);
for my $i (1 .. 60000) {
  $x = ($x * 1103515245 + 12345) % 2147483648;
  my $word = "w" . ($x % 9000) . ("x" x ($x % 40));
  push @{$count{$word}}, $i;
  push @lines, join(",", $word, $i, $x) if $i % 3 == 0;
}
my $text = join("\\n", map { my @f = split /,/; join("|", reverse @f) } sort @lines);
my $sum = 0; $sum += @{$count{$_}} for keys %count;
print scalar(keys %count), " ", length($text), " $sum\\n";
'''


def _lua() -> tuple:
    return "program.lua", '''\
local x, words, nodes = 1, {}, {}
local function draw(n) x = (x * 1103515245 + 12345) % 2147483648; return x % n end
for i = 1, 60000 do
  local word = string.rep(string.char(97 + draw(26)), 1 + draw(60)) .. i
  words[#words + 1] = word
  nodes[draw(5000)] = {left = nodes[draw(5000)] and {word} or nil, value = i, name = word:sub(1, 9)}
end
table.sort(words)
local parts = {}
for i = 1, #words, 3 do parts[#parts + 1] = words[i]:upper() end
local text, sum = table.concat(parts, " "), 0
for _, node in pairs(nodes) do sum = sum + node.value end
print(#text, sum)
'''


def _sqlite() -> tuple:
    draw = random.Random(SEED)
    lines = ["create table person(id integer primary key, name text, city text, age int);", "begin;"]
    for number in range(12000):
        name = "".join(draw.choices("abcdefghijklmnop", k=draw.randint(4, 30)))
        lines.append(f"insert into person values({number},'{name}','city{draw.randrange(200)}',"
                     f"{draw.randrange(99)});")
    lines += ["commit;", "create index by_name on person(name);",
              "create index by_city on person(city, age);",
              "select count(*), sum(age) from person where name like '%ab%';",
              "select city, count(*), avg(age) from person group by city order by 2 desc, 1 limit 20;",
              "select a.city, count(*) from person a join person b on a.name < b.name and a.city = b.city "
              "and b.age = 7 group by a.city order by 1 limit 50;",
              "update person set name = name || city where age > 50;",
              "select sum(length(name)), group_concat(substr(name, 1, 2)) from person where id % 50 = 0;"]
    return "program.sql", "\n".join(lines) + "\n"


def _cxx() -> tuple:
    classes = "\n".join(
        f"struct T{n} {{ std::map<std::string, std::vector<int>> m; std::optional<std::string> s;"
        f" int f(int x) {{ m[std::to_string(x)].push_back(x * {n}); return static_cast<int>(m.size()); }} }};"
        f"int g{n}(int x) {{ T{n} t; std::vector<std::unique_ptr<T{n}>> v;"
        f" v.push_back(std::make_unique<T{n}>());"
        f" std::sort(v.begin(), v.end()); return t.f(x) + v[0]->f(x + {n}); }}" for n in range(6))
    heads = "".join(f"#include <{name}>\n"
                    for name in ("algorithm", "map", "memory", "optional", "string", "vector"))
    return "program.cc", heads + classes + "\n"


def _redis() -> tuple:
    draw = random.Random(SEED)
    lines = []
    for number in range(40000):
        value = "v" * draw.randint(1, 400)
        key = f"key:{draw.randrange(15000)}"
        lines.append(draw.choice((
            f"SET {key} {value}", f"LPUSH list:{draw.randrange(100)} {value}",
            f"HSET hash:{draw.randrange(200)} f{draw.randrange(50)} {value}", f"APPEND {key} {number}",
            f"DEL {key}")))
    return "commands", "\r\n".join(lines) + "\r\n"


INPUTS = {"python3": _python, "perl": _perl, "lua": _lua, "sqlite3": _sqlite, "g++": _cxx, "redis": _redis}
