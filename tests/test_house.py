"""The rules of the house: the way imports run, the length of functions, what the commands and the README promise."""

import ast
import json
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# From the ground up: a module imports from the rows below its own, never from its own row.
LAYERS = (
    ("bert", "bert.errors", "bert.garbage", "bert.measures", "bert.options"),
    ("bert.files", "bert.quiet", "bert.random_numbers", "bert.unicode_ranges"),
    ("bert.formats",),
    (
        "bert.activations",
        "bert.operations",
        "bert.touched_rows",
        "bert.config",
        "bert.flags",
        "bert.masking",
        "bert.pipelines",
        "bert.reporting",
        "bert.sidecar",
        "bert.tokenization",
    ),
    ("bert.halves", "bert.layers", "bert.layouts", "bert.records"),
    ("bert.dynamic_masking", "bert.pretraining_data", "bert.tasks", "bert.transformer"),
    ("bert.checkpoint", "bert.input_pipeline", "bert.modeling", "bert.optimization", "bert.pooling"),
    ("bert.encoders",),
    ("bert.distribution", "bert.heads"),
    ("bert.retrieval", "bert.training"),
    ("bert.features", "bert.finetuning", "bert.pretraining", "bert.stored_model"),
    ("bert.conversion", "bert.prediction"),
    ("bert.answering", "bert.exporting", "bert.serving", "bert.vocabulary"),
    ("bert.cli", "bert.commands"),
    ("bert.__main__",),
)
SCRIPTS = sorted(path.name for path in ROOT.glob("*.py"))
MODULES = sorted(ROOT.glob("bert/**/*.py"))
FRONT_DOOR = ROOT / "bert" / "__init__.py"  # everything stands on it; what it hands out it imports when it is asked
SOURCES = [*MODULES, *(ROOT / name for name in SCRIPTS), *sorted(ROOT.glob("examples/**/*.py"))]
MACHINE_PATHS = re.compile(r"/(?:home|root|work|Users|tmp|opt)/\w")
# `docs/parity.md 6.9 to 6.11`, `docs/parity.md 4 and 8`, `docs/parity.md 2, 3`: the numbers behind the name.
# A line may end between them, in a comment too.
PARITY_CITATION = re.compile(r"docs/parity\.md((?:(?:,|\s+and|\s+to)?\s+(?:# )?\d+(?:\.\d+)?)+)")
REGISTRY_HOSTS = re.compile("pypi" r"\.org|files\.python" r"hosted|huggingface" r"\.co", re.IGNORECASE)


def relative(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: pathlib.Path) -> str:
    return relative(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def layer(module: str) -> int:
    """The row of LAYERS in which a module, or the folder it lies in, stands."""
    name = ".".join(module.split(".")[:2])
    rows = [number for number, names in enumerate(LAYERS) if name in names]
    assert rows, f"{name} has no place in LAYERS of tests/test_house.py"
    return rows[0]


def tracked_files() -> list[pathlib.Path]:
    """The files of the project that git tracks, or would if they were added."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def imported(path: pathlib.Path) -> set[str]:
    """The modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}:{node.lineno}: a relative import, expected the full name"
            found.add(node.module)
            if node.module == "bert":  # `from bert import files`: the module bert.files
                found.update(f"bert.{name.name}" for name in node.names if not name.name.startswith("__"))
    return {name for name in found if name.split(".")[0] == "bert"}


@pytest.mark.parametrize("path", [path for path in MODULES if path != FRONT_DOOR], ids=relative)
def test_imports_run_downward(path):
    importer = module_name(path)
    for module in imported(path):
        same_folder = module.split(".")[:2] == importer.split(".")[:2]
        assert same_folder or layer(module) < layer(importer), f"{importer} imports {module}, which is not below it"


def test_the_table_of_the_architecture_has_every_module_in_its_order():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`bert/[^|]+) \|", text, re.MULTILINE)
    told = [f"bert.{name}" for row in rows for name in re.findall(r"`bert/(\w+)(?:\.py|/)`", row)]
    assert sorted(told) == sorted({name for names in LAYERS for name in names} - {"bert"})
    layers = [layer(name) for name in told]
    assert layers == sorted(layers, reverse=True), list(zip(told, layers, strict=True))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_files_and_functions_stay_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            assert lines <= 60, f"{relative(path)}:{node.lineno}: {node.name} has {lines} lines"


def test_importing_the_commands_changes_nothing():
    """All commands in one process, as in a notebook: no flag registered, no file written, no line printed."""
    code = f"""
import importlib, os
import tensorflow, tensorflow_text  # registers flags of its own
from absl import flags
before = set(flags.FLAGS), set(os.listdir()) | {{"__pycache__"}}
for name in {[name.removesuffix(".py") for name in SCRIPTS]}:
    importlib.import_module(name)
print(*(set(flags.FLAGS) - before[0]), *(set(os.listdir()) - before[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name != "run_tagger.py"])  # that one is our own
def test_help_lists_the_flags_of_the_original(script, golden):
    """Each with the original's type and default; flags of our own may come on top."""
    done = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    listed = done.stdout.splitlines()
    for flag in json.loads((golden / "flags" / script).with_suffix(".json").read_text()):
        kind = {"string": "str"}.get(flag["type"], flag["type"])
        state = "required" if flag["required"] else f"default {flag['default']}"
        assert f"  --{flag['name']} ({kind}, {state})" in listed


def test_first_screen_of_the_readme_names_the_two_commands():
    screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:25]
    assert "make demo" in "\n".join(screen)
    assert "make test" in "\n".join(screen)


def test_links_in_the_documents_lead_somewhere():
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
            assert "://" in target or (path.parent / target).exists(), f"{relative(path)}: {target}"


def parity_sections() -> set[str]:
    """Numbers that docs/parity.md can be cited by: of headings, as 6, and of the numbered items below them, as 6.10."""
    found, heading = set(), None
    for line in (ROOT / "docs" / "parity.md").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"## (\d+)\. ", line):
            heading = match.group(1)
            found.add(heading)
        elif match := re.match(r"(\d+)\. ", line):
            found.add(f"{heading}.{match.group(1)}")
    return found


def parity_citations() -> dict[str, str]:
    """Every number cited after the page's name, and a place that cites it. Of a range these are its two ends."""
    cited = {}
    for path in tracked_files():
        if path.suffix not in (".py", ".md", ".sh", ".toml"):
            continue
        text = path.read_text(encoding="utf-8")
        for citation in PARITY_CITATION.finditer(text):
            place = f"{relative(path)}:{text.count(chr(10), 0, citation.start()) + 1}"
            cited |= dict.fromkeys(re.findall(r"\d+(?:\.\d+)?", citation.group(1)), place)
    return cited


def test_cited_sections_of_the_parity_page_exist():
    cited, sections = parity_citations(), parity_sections()
    assert {"6.10", "9"} <= cited.keys()
    missing = {section: place for section, place in cited.items() if section not in sections}
    assert not missing, f"docs/parity.md has no such section: {missing}"


def test_the_origin_of_every_reference_value_is_told(golden):
    told = (golden / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in golden.iterdir()} - {"README.md"}
    missing = sorted(name for name in names if f"`{name}" not in told)
    assert not missing, f"tests/golden/README.md says nothing of {missing}"


def test_no_machine_paths_and_no_registry_hosts():
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a checkpoint or an array
        for pattern in (MACHINE_PATHS, REGISTRY_HOSTS):
            for number, line in enumerate(text.splitlines(), start=1):
                found = pattern.search(line)
                allowed = line.startswith("#!") or "/path/to/" in line
                assert not found or allowed, f"{relative(path)}:{number}: {found.group()}"
