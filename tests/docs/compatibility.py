"""Every test that docs/compatibility.md names as `file: test` exists, and every row that claims something names one."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
text = (root / "docs" / "compatibility.md").read_text()
files = {}
for path in [*(root / "tests").rglob("*.py"), *(root / "tests").rglob("*.c")]:
    files.setdefault(path.stem, []).append(path.read_text())
wrong = []
named = re.findall(r"`(\w+): (\w+)`", text)
for stem, name in named:
    if not any(re.search(rf"\b{name}\b", content) for content in files.get(stem, [])):
        wrong.append(f"no test {name} in {stem}")
for line in text.splitlines():
    if line.startswith("| ") and not line.startswith(("| Item", "| Hint")) and not re.search(r"`\w+: \w+`", line) and "**Not yet**" not in line:
        wrong.append(f"no test is named: {line}")
if len(named) < 50:
    wrong.append("the table is not there")
print("\n".join(wrong) or f"{len(named)} tests named")
sys.exit(bool(wrong))
