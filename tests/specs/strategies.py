"""Hypothesis strategies for users' files: values that no field expects, and documents that are mostly valid."""

import copy
import os

import yaml
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

CASES = int(os.environ.get("DEPTHBENCH_FUZZ_CASES", "300"))
SECONDS = 30
"""Time limit of a case, which takes milliseconds unless it hangs."""
MOST_BUILT = 200
"""Blocks of a network that is built as it is: each takes a millisecond."""


def cases(share):
    """Return settings for a share of all cases, new ones in each run; a failure prints the blob that repeats it."""
    return settings(
        max_examples=max(1, round(CASES * share)),
        deadline=None,  # the first case imports torch; SECONDS and pytest-timeout find hangs
        derandomize=False,
        print_blob=True,
        database=None,  # nothing may be written; the blob repeats a failure
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,  # no case depends on another
            HealthCheck.too_slow,  # documents are large on purpose
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )


# --- Values that a field does not expect ----------------------------------------------------------------------

RAW = [
    *(".nan", ".inf", "-.inf", "1e400", "1.0e+400", "-0.0", "5.0e-324", "._", "0b_", "0x_", "1_000", "0o17", "0777"),
    *("yes", "no", "on", "~", "null", "=", "2020-01-01", "2020-99-99", "2001-12-14t21:59:43.10-05:00", "190:20:30"),
    *("9" * 5000, "0x" + "f" * 5000, "1:" * 400 + "1", "1:" * 400 + "1.5", "-" + "1" * 400, "1" * 30),
    *("!!int ''", "!!bool x", "!!float ''", "!!timestamp x", "!!null x", "!!str 5", "!!int [1]", "!!seq {}"),
    *("!!set {1, 2}", "!!binary aGk=", "!!omap [a: 1]", "!!pairs [a: 1]", "!!python/name:os.system", "!mine x"),
    *("*undefined", "&a [*a]", "&a {b: *a}", "&a {<<: *a}", "{<<: {a: 1}}", "{<<: 3}", "{? [a] : b}", "{1: 2}"),
    *("{~: 1}", "{yes: 1}", "{1.5: {2: 3}}", "{a: 1, a: 2}", "[" * 60 + "]" * 60, "[" * 2000, "{a: " * 2000, "{"),
    *(r'"\e[31mred"', r'"\ud800"', r'"\U00110000"', r'"a\0b"', r'"a\rb"', r'"\u202egnp"', '"\u2028"', "'", "`", "@"),
    *("[&b [&c [1, 2], *c], *b]", "{degradation: 1}", "{difference: {difference: 1}}", "|\n    text\n", "# none"),
]  # fmt: skip

WORDS = [
    *("", " ", "none", "identity", "projection", "basic", "bottleneck", "cifar-resnet20", "cifar-plain8", "plain18"),
    *("resnet18", "cifar-resnet", "resnet", "cifar-resnet٢٠", "cifar-resnet" + "9" * 5000, "cifar-resnet29-bottleneck"),
    *("../../etc/passwd", "/etc/passwd", "~", "~nobody-here", "a" * 5000, "a/" * 3000, "..", "-", "[/red]", "[bold]"),
    *("$\\foo$", "{{ x }}", "a\nb", "<script>", "'; --", "\u00e9\u0301", "\U0001f600", "\ufeff", "²", "１", "%s", "|"),
    *("digits", "fashion-mnist", "cifar10", "imagefolder", "batch", "group", "degradation", "difference", "nan", "inf"),
    *("time_to_target", "seconds", "val/error", "initialisation", "split", "macs", "step_time", "mine"),
    *("1e5", "0", " 8 ", "8.0", "1_0", "true", "cosine", "step", "one-cycle", "adamw", "crop", "two-sided", "basic"),
]  # fmt: skip


class Raw(str):
    """Text that is written into the YAML without quotes."""

    __slots__ = ()


NUMBERS = st.one_of(
    st.integers(-3, 40),
    st.sampled_from([-1, 0, 1, 2**31, 2**32, 2**63, 10**9, 10**30, -(10**30), 10_000_002, 65536, 65537, 10_000]),
    st.floats(),
    st.sampled_from([0.5, 1e-300, 1e300, 1e-9, 0.0, -0.0, 1.0, 0.49999, 8.0]),
)
ODD = st.one_of(
    st.sampled_from(RAW).map(Raw),
    st.sampled_from(WORDS),
    st.text(max_size=20),
    NUMBERS,
    st.none(),
    st.booleans(),
    st.recursive(
        st.one_of(NUMBERS, st.sampled_from(WORDS), st.none()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.sampled_from([*WORDS, "a", "name", "depth"]), inner, max_size=3),
        ),
        max_leaves=6,
    ),
)  # fmt: skip


def as_yaml(document):
    """Return a document as YAML text, with its raw parts written as they are."""
    raw = []

    def replace_raw(value):
        if isinstance(value, Raw):
            raw.append(str(value))
            return f"@@{len(raw) - 1}@@"
        if isinstance(value, dict):
            return {replace_raw(key): replace_raw(inner) for key, inner in value.items()}
        return [replace_raw(inner) for inner in value] if isinstance(value, list | tuple) else value

    text = yaml.safe_dump(replace_raw(document), sort_keys=False, allow_unicode=True, width=10**6)
    for number, part in enumerate(raw):
        text = text.replace(f"'@@{number}@@'", part).replace(f"@@{number}@@", part)
    return text


def paths(value, at=()):
    """Yield the path to every value inside ``value``."""
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from paths(inner, (*at, key))


@st.composite
def mutated(draw, documents, most=3):
    """Draw a document with up to ``most`` changes: values are replaced, removed, renamed, wrapped or added."""
    document = copy.deepcopy(draw(documents))
    for _ in range(draw(st.integers(0, most))):
        path = draw(st.sampled_from(sorted(paths(document), key=repr)))
        if not path:
            continue
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        key = path[-1]
        change = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add", "rename", "wrap", "swap"]))
        if change == "replace":
            parent[key] = draw(ODD)
        elif change == "remove":
            del parent[key]
        elif change == "wrap":
            parent[key] = draw(st.sampled_from([[parent[key]], {"name": parent[key]}, [parent[key]] * 2]))
        elif change == "swap":
            source = document
            for step in draw(st.sampled_from(sorted(paths(document), key=repr))):
                source = source[step]
            parent[key] = copy.deepcopy(source)
        elif isinstance(parent, dict):
            name = draw(st.one_of(st.sampled_from([*WORDS, *FIELDS]), st.text(max_size=10)))
            parent[name] = draw(ODD) if change == "add" else parent.pop(key)
    return document


FIELDS = [
    *("decide", "first", "step", "most", "targets", "metric", "value", "replicate", "vary", "variance", "levels"),
    *("match", "by", "to", "change", "within", "found", "time_to_target", "unit", "looks"),
    *("name", "question", "variants", "data", "recipe", "seeds", "contrasts", "level", "resources", "execution"),
    *("notes", "depth", "family", "block", "blocks", "widths", "label", "shortcut", "norm", "degradation"),
    *("set", "difference", "in_channels"),
    *("classes", "base", "members", "twin", "prefix", "input_size", "source", "kind", "margin"),
    *("root", "<<", "milestones", "gpus", "cpus", "max_concurrent", "fingerprint", "image_size", "split_seed"),
    *("workers", "accelerator", "worker_batch", "sync_norm"),
]  # fmt: skip

# --- Documents that are mostly valid --------------------------------------------------------------------------


def maybe(**fields):
    """Return a strategy for mappings with some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


COUNTS = st.one_of(st.integers(1, 3), st.sampled_from([30, 5000, 10_000]))
CHANGES = maybe(
    widths=st.one_of(st.just([2, 4, 8]), st.lists(st.sampled_from([1, 4, 8, 64, 65536]), min_size=1, max_size=5)),
    blocks=st.one_of(st.just([1, 1, 1]), st.lists(COUNTS, min_size=1, max_size=5)),
    norm=st.sampled_from(["batch", "group"]),
    activation=st.sampled_from(["relu", "gelu", "silu"]),
    stem=st.sampled_from(["conv3x3", "imagenet"]),
    block=st.sampled_from(["basic", "bottleneck"]),
    shortcut=st.sampled_from(["none", "identity", "projection", "projection-everywhere", "A"]),
    stride_on=st.sampled_from(["3x3", "1x1"]),
    preactivation=st.booleans(),
    zero_init_last=st.booleans(),
    widening=st.sampled_from([1.0, 0.01, 1.5, 100.0, 0.0]),
    groups=st.sampled_from([1, 2, 3, 4096]),
    group_width=st.sampled_from([None, 1, 4, 65536]),
    se_reduction=st.sampled_from([None, 1, 16, 4096]),
    stochastic_depth=st.sampled_from([0.0, 0.5, 0.999, 1.0]),
    residual_scale=st.sampled_from([None, 0.0, 1.0, 2.0]),
)
DEPTHS = st.sampled_from([8, 14, 20, 11, 18, 7, 1202, 10_000_002, 10**18, 10**4000, -4])
CHOICES = st.one_of(
    st.sampled_from(["cifar-resnet20", "cifar-plain8", "resnet18", "plain50", "cifar-resnet11-bottleneck"]),
    st.builds(
        lambda need, more: need | more,
        st.fixed_dictionaries({"name": st.sampled_from(["cifar-resnet20", "cifar-plain14", "resnet50", "wrn-16-4"])}),
        maybe(
            label=st.one_of(st.sampled_from(["mine", *WORDS]), st.text(max_size=30)),
            set=CHANGES,
            match=st.builds(
                lambda by, to, more: {"by": by, "to": to} | more,
                st.sampled_from(["macs", "params"]),
                st.sampled_from(["cifar-resnet20", "cifar-plain20", "resnet18", "mine", "nobody"]),
                maybe(change=st.sampled_from(["widths", "depth"]), within=st.sampled_from([0.01, 0.5, 0, 1e-300])),
            ),
        ),
    ),
    maybe(
        kind=st.sampled_from(["torchvision", "timm", "python", "keras"]),
        # None of these is an existing factory: importing one would run its code.
        factory=st.one_of(st.sampled_from(["nowhere:make", "no where", "a.b.c:d", ":", *WORDS]), st.text(max_size=20)),
        name=st.sampled_from(["alexnet", "squeezenet1_1", "no-such-net", "densenet121"]),
        args=st.one_of(st.just({}), st.dictionaries(st.sampled_from(["dropout", "weights", "x"]), st.floats())),
        label=st.text(max_size=30),
    ),
    st.builds(
        lambda need, more: need | more,
        st.fixed_dictionaries(
            {
                "family": st.sampled_from(["cifar-resnet", "cifar-resnet", "resnet"]),
                "depth": st.one_of(st.just([8, 14]), st.just([20, 14]), DEPTHS, st.lists(DEPTHS, max_size=3)),
            }
        ),
        maybe(
            shortcut=st.lists(st.sampled_from(["none", "identity", "projection"]), max_size=3, unique=True),
            block=st.sampled_from(["basic", "bottleneck"]),
            set=CHANGES,
        ),
    ),
)
RECIPES = st.builds(
    lambda need, more: need | more,
    st.fixed_dictionaries(
        {
            "epochs": st.sampled_from([1, 2, 10, 10**6, 10**9]),
            "batch": st.sampled_from([2, 64, 1500]),
            "lr": st.sampled_from([0.1, 1e-300, 1e300]),
        }
    ),
    maybe(
        optimiser=st.sampled_from(["sgd", "adamw"]),
        momentum=st.floats(0, 1),
        nesterov=st.booleans(),
        weight_decay=st.floats(0, 1e308),
        schedule=st.sampled_from(["constant", "step", "cosine", "one-cycle"]),
        milestones=st.lists(st.floats(0, 1), max_size=4).map(sorted),
        decay=st.floats(0, 1),
        warmup_epochs=st.floats(0, 2),
        label_smoothing=st.floats(0, 1),
        clip_grad_norm=st.floats(0, 1e308),
        precision=st.sampled_from(["fp32", "bf16", "tf32", "fp16"]),
        augment=st.sampled_from(["none", "crop", "crop-flip", "resized-crop-flip"]),
        crop_padding=st.integers(0, 9),
    ),
)
DATA = st.builds(
    lambda need, more: need | more,
    st.fixed_dictionaries({"name": st.sampled_from(["digits"] * 6 + ["fashion-mnist", "cifar10", "imagefolder"])}),
    st.one_of(
        st.just({}),
        maybe(
            split_seed=st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**64]),
            test_fraction=st.floats(0, 1),
            val_fraction=st.floats(0, 1),
            train_images=st.sampled_from([2, 64, 256, 1427, 1437, 10**9]),
            image_size=st.sampled_from([4, 32, 4096]),
            fingerprint=st.sampled_from(["", "x", "4762797d5258adf1"]),
            root=st.sampled_from(
                ["", ".", "IMAGES", "IMAGES/class-0", "IMAGES/class-0/0.png", "/nowhere", "~nobody", "a\0b", "x" * 5000]
            ),
        ),
    ),
)  # fmt: skip
TARGETS = st.builds(
    lambda metric, value: {"metric": metric, "value": value},
    st.sampled_from(["test/error", "val/error", "train/error", "train/error_clean"]),
    st.sampled_from([5, 5.0, 1e-300, 90, 99.9, 100]),
)
SOURCES = st.lists(st.sampled_from(["initialisation", "order", "augmentation", "split"]), max_size=4)
CONTRASTS = st.lists(
    st.one_of(
        st.builds(
            lambda margin, deep, more: {"kind": "degradation", "shallow": 8, "deep": deep, "margin": margin} | more,
            st.sampled_from([1.0, 0.5, 1e-300, 1e300]),
            st.sampled_from([14, 20, 8]),
            maybe(family=st.just("cifar-resnet"), shortcut=st.just("identity"), smallest_effect=st.floats(0, 1e308)),
        ),
        st.builds(
            lambda a, b, more: {"kind": "difference", "a": a, "b": b} | more,
            st.sampled_from(["cifar-resnet8", "cifar-resnet20", "nobody"]),
            st.sampled_from(["cifar-plain8", "cifar-plain14", "resnet18"]),
            maybe(metric=st.just("train/error"), side=st.sampled_from(["two-sided", "greater"])),
        ),
        st.builds(
            lambda a, b, more: {"kind": "time_to_target", "a": a, "b": b} | more,
            st.sampled_from(["cifar-resnet8", "cifar-resnet20", "nobody"]),
            st.sampled_from(["cifar-plain8", "cifar-plain14"]),
            maybe(unit=st.sampled_from(["epochs", "seconds"]), target=TARGETS, side=st.just("less")),
        ),
    ),
    max_size=3,
)
EXPERIMENTS = st.builds(
    lambda need, more: need | more,
    st.fixed_dictionaries(
        {
            "name": st.just("fuzz"),
            "question": st.one_of(st.just("Does it?"), st.text(min_size=1, max_size=40)),
            "variants": st.one_of(CHOICES, st.lists(CHOICES, min_size=1, max_size=3)),
            "data": DATA,
            "recipe": RECIPES,
            "seeds": st.one_of(st.just([1, 2]), st.just([*range(10, 18)]), st.lists(st.integers(0, 2**32), max_size=3)),
        }
    ),
    maybe(
        contrasts=CONTRASTS,
        targets=st.lists(TARGETS, max_size=2),
        decide=st.builds(
            lambda first, step, most, more: {"first": first, "step": step, "most": most} | more,
            st.sampled_from([8, 10, 7, 10_001]),
            st.sampled_from([4, 1, 0, 10**9]),
            st.sampled_from([16, 9, 8, 10_000]),
            maybe(futility=st.sampled_from([0, 0.5, 1])),
        ),
        replicate=st.one_of(SOURCES, maybe(vary=SOURCES, hold_at=st.sampled_from([0, 2**32 - 1, 2**32]))),
        variance=st.builds(
            lambda sources, more: {"sources": sources} | more,
            SOURCES,
            maybe(levels=st.integers(1, 17), repeats=st.sampled_from([1, 2, 100]), hold_at=st.just(3)),
        ),
        looks=st.sampled_from([[], [8], [8, 12], [12, 8], [10_000]]),
        level=st.sampled_from([0.05, 0.49, 5e-324, 1e-300]),
        resources=maybe(
            cpus=st.sampled_from([1, 10**9]),
            gpus=st.sampled_from([0, 1, 0.25, 5e-324, 1e-300]),
            workers=st.sampled_from([1, 2, 1024, 10**9]),
            accelerator=st.sampled_from(["H200", "", "\x1b"]),
            max_concurrent=st.sampled_from([1, 10**30]),
        ),
        execution=maybe(
            evaluate_every=st.sampled_from([1, 10**30]),
            checkpoint_seconds=st.sampled_from([0, 1e308]),
            drain_seconds=st.sampled_from([0, 1e308]),
            deterministic=st.booleans(),
        ),
        notes=st.text(max_size=30),
    ),
)  # fmt: skip


def mostly(valid, *others):
    """Return a strategy that mostly gives a valid value, so that the checks after it are reached too."""
    return st.sampled_from([valid] * 2 * max(len(others), 1) + list(others))


FAMILIES = st.builds(
    lambda need, more: need | more,
    st.fixed_dictionaries(
        {
            "family": mostly("fuzz", "cifar-resnet", ""),
            "input_size": mostly(8, 1, 0, -5, 10**9),
            "base": st.builds(
                lambda changes: {"stem": "conv3x3", "block": "basic", "widths": [2, 4], "shortcut": "none"} | changes,
                st.one_of(st.just({}), CHANGES),
            ),
            "twin": st.fixed_dictionaries(
                {"prefix": mostly("flat", "", "fuzz")}, optional={"shortcut": mostly("none", "identity", "diagonal")}
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "depth": st.fixed_dictionaries(
                {"basic": mostly("4n+2", "6n+2", "1n+0", "7n+2", "9" * 5000 + "n+1", "4n+" + "9" * 5000, "n", "4n+٢")},
                optional={"bottleneck": st.just("6n+2"), "odd": st.just("2n+2")},
            )
        },
        optional={
            "prefix": mostly("fuzz", "", "f[/red]"),
            "members": st.dictionaries(
                mostly("fuzz6", "fuzz10", "flat6", "", "a" * 500),
                st.one_of(st.fixed_dictionaries({"depth": st.one_of(st.just(6), st.just(6), ODD)}), CHANGES),
                max_size=2,
            ),
        },
    ),
)
VALID_OVERRIDES = st.sampled_from(
    [
        *("recipe.lr=1e-3", "seeds=[1, 2]", "variants.set.widths=[3, 6, 9]", "recipe.schedule=step", "name=other"),
        *("contrasts=[]", "execution.evaluate_every=2", "variants.set.norm=group", "data.val_fraction=0.1"),
    ]
)
OVERRIDES = st.builds(
    lambda key, equals, value: key + equals + value,
    st.one_of(
        st.lists(st.sampled_from([*FIELDS, "lr", "epochs", "0", "1", "²", "9" * 5000, "-1", "", " "]), max_size=4).map(
            ".".join
        ),
        st.sampled_from(["recipe.lr", "seeds", "variants.set.widths", "variants.0.set.blocks", "contrasts.0.margin"]),
        st.text(max_size=10),
        st.just("a." * 3000 + "a"),
    ),
    st.sampled_from(["=", "=", "=", "=", "", "=="]),
    st.one_of(
        st.sampled_from(RAW),
        st.sampled_from(WORDS),
        st.text(max_size=15),
        NUMBERS.map(str),
        st.sampled_from(["[8, 16, 32]", "1e-3"]),
    ),
)
SEEDS = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "1",
            "10-17",
            "1,2,3",
            "²",
            "1-²",
            "1-",
            "-1",
            "",
            ",",
            "5-1",
            "0-99999",
            "1-99999999999999999999",
            "4294967296",
        ]
    ),
    st.sampled_from(["9" * 5000, "1-" + "9" * 5000, "0-9999,10000-19999", "1,1", " 1 , 2 ", "１", "\x1b[31m"]),
    st.text(alphabet="0123456789,- ", max_size=8),
    st.text(max_size=8),
)
