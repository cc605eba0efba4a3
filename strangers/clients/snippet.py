"""Writes the snippet of docs/clients.md in a language, as its fence names it, to a file."""

import pathlib
import re
import sys

language, out = sys.argv[1:]
text = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "clients.md").read_text()
(snippet,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
pathlib.Path(out).write_text(snippet)
