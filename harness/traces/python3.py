"""What python3.trace recorded: build, serialise, parse and search a document."""
import json
import re

document = {f"key{i % 600}": [str(j) * 3 for j in range(i % 11)] for i in range(1600)}
text = json.dumps(document)
again = json.loads(text)
words = re.findall(r"\d+", text)
print(len(text), len(again), sum(map(len, words)))
