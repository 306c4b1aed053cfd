"""What each step of a search sees."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from harness.commands import planning
from harness.commands.run import parser
from harness.data import Images, load, search_data, search_split
from harness.data.datasets import subset_size
from harness.data.halves import balanced_halves, is_grouped, mismatch, mixed_order, read_lists
from harness.experiment.config import dataset_name
from harness.experiment.plan import plan
from harness.experiment.registry import built_in
from tests.data.layouts import cifar100_files, imagenet16, unpacked

KEYS = ("xvalid", "xtest")


def write_lists(path, first, second, keys=KEYS):
    path.write_text(json.dumps({k: ["int", [str(i) for i in v]] for k, v in zip(keys, (first, second), strict=True)}))


@pytest.fixture
def cifar100(tmp_path):
    """200 training and 400 test images, and the folder in which the list is looked for."""
    unpacked(tmp_path, cifar100_files())
    return tmp_path, tmp_path / "cifar100-test-split.txt"


def test_bilevel_halves_are_disjoint_balanced_and_leave_the_test_set_alone():
    digits = load("digits", Path())
    first, second = balanced_halves(digits.train.labels)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(digits.train)))
    counts = [digits.train.labels[half].bincount() for half in (first, second)]
    assert (counts[0] - counts[1]).abs().max() <= 1
    assert abs(len(first) - len(second)) <= 1
    bilevel, erm = search_data(digits, True), search_data(digits, False)
    assert len(bilevel.train) + len(bilevel.held_out) == len(erm.train) == len(digits.train)
    assert erm.validation is None
    assert bilevel.validation is bilevel.held_out
    split = search_split(digits, True)
    assert split.name == "class-balanced halves, seed 0"
    assert not split.may_have_seen_test


def test_cifar10_without_a_list_is_halved_as_ever(test_data):
    dataset = load("cifar10", test_data / "cifar")
    data, split = search_data(dataset, True), search_split(dataset, True)
    assert split.name == "class-balanced halves, seed 0"
    assert data.train.labels.bincount().tolist() == data.held_out.labels.bincount().tolist() == [500] * 10
    assert split.train[:8].tolist() == [3, 4, 7, 9, 10, 14, 15, 17]  # of the first images, as in stored runs


def test_searches_that_may_see_test_images_are_named_before_they_begin(cifar100):
    folder, _ = cifar100

    def said(methods):
        words = ["--methods", methods, "--dataset", "cifar100", "--data", str(folder), "--seeds", "2"]
        console = Console(file=io.StringIO(), width=1000)
        planning.searches(parser().parse_args(words), console)
        return console.file.getvalue()

    assert said("darts,gdas,gaea-darts-erm,random-search-ws").splitlines() == [
        "darts, gdas, random-search-ws: without the benchmark's index lists of cifar100 they may see test images, and"
        " their rows get no verdict (docs/data.md says where to get the lists)"
    ]
    assert said("gaea-darts-erm") == ""


def test_own_half_of_the_test_images_may_have_been_seen(cifar100):
    folder, _ = cifar100
    dataset = load("cifar100", folder)
    data = search_data(dataset, True)
    assert data.train is dataset.train
    assert data.held_out.labels.bincount().tolist() == [2] * 100
    split = search_split(dataset, True)
    assert split.name == "all training images, x-valid by class-balanced halves, seed 0"
    assert split.may_have_seen_test
    erm = search_data(dataset, False)
    assert erm.train is erm.held_out is dataset.train
    assert not search_split(dataset, False).may_have_seen_test


def official(dataset):
    """As if the images were those of the official files."""
    return replace(dataset, origin="official")


def test_lists_are_of_the_official_files_only(cifar100):
    folder, path = cifar100
    write_lists(path, range(200), range(200, 400))
    dataset = load("cifar100", folder)
    assert dataset.origin == "subset"
    assert search_split(dataset, True).substitute
    assert not search_split(official(dataset), True).substitute


def test_the_benchmarks_list_is_followed(cifar100):
    folder, path = cifar100
    xvalid = [399, *range(0, 200, 2)]
    write_lists(path, xvalid, set(range(400)) - set(xvalid))
    dataset = official(load("cifar100", folder))
    data = search_data(dataset, True)
    assert data.train is dataset.train
    assert torch.equal(data.held_out.pixels, dataset.test.pixels[sorted(xvalid)])
    assert data.validation is data.held_out
    split = search_split(dataset, True)
    assert split.name == "all training images, x-valid by the benchmark's cifar100-test-split.txt"
    assert not split.may_have_seen_test


def test_imagenet16(tmp_path):
    imagenet16(tmp_path)
    path = tmp_path / "imagenet-16-120-test-split.txt"
    write_lists(path, range(240), range(240, 480))
    dataset = official(load("imagenet16-120", tmp_path))
    data = search_data(dataset, True)
    assert len(data.train) == len(data.held_out) == 240
    assert not search_split(dataset, True).may_have_seen_test


def test_cifar10_is_halved_by_its_list(tmp_path, test_data):
    (tmp_path / "cifar-10-batches-py").symlink_to(test_data / "cifar" / "cifar-10-batches-py")
    write_lists(tmp_path / "cifar-split.txt", range(0, 10_000, 2), range(1, 10_000, 2), ("train", "valid"))
    dataset = official(load("cifar10", tmp_path))
    data = search_data(dataset, True)
    assert torch.equal(data.train.pixels, dataset.train.pixels[::2])
    assert torch.equal(data.held_out.pixels, dataset.train.pixels[1::2])
    assert search_split(dataset, True).name == "the benchmark's cifar-split.txt"


@pytest.mark.parametrize(
    "first, second, reason",
    [
        (range(5_000), range(5_000, 10_000), "it splits 10000 images, not 400"),
        (range(200), range(199, 399), "it does not list every image exactly once"),
        (range(200), range(201, 401), "it does not list every image exactly once"),
        (range(201), range(200, 400), "it splits 401 images, not 400"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(cifar100, first, second, reason):
    folder, path = cifar100
    write_lists(path, first, second)
    load.cache_clear()
    dataset = official(load("cifar100", folder))
    with pytest.raises(ValueError, match=rf"does not fit cifar100: {reason}"):
        search_split(dataset, True)
    assert search_split(dataset, False).name == "all training images for both steps"


def test_the_official_lists_divide_the_official_archives(test_data):
    for name, keys, sizes in [
        ("cifar-split.txt", ("train", "valid"), 25_000),
        ("cifar100-test-split.txt", KEYS, 5_000),
        ("imagenet-16-120-test-split.txt", KEYS, 3_000),
    ]:
        lists = read_lists(test_data / "splits" / name, keys)
        assert [len(part) for part in lists] == [sizes, sizes]
        assert mismatch(lists, 2 * sizes) is None
        raw = json.loads((test_data / "splits" / name).read_text())
        assert lists[0].tolist() == [int(i) for i in raw[keys[0]][1]]


def test_official_list_on_a_subset_does_not_fit(tmp_path, test_data):
    (tmp_path / "cifar-100-python").symlink_to(test_data / "cifar" / "cifar-100-python")
    shutil.copy(test_data / "splits" / "cifar100-test-split.txt", tmp_path)
    dataset = load("cifar100", tmp_path)
    data = search_data(dataset, True)
    assert search_split(dataset, True).substitute
    assert len(data.train) == 5_000
    assert len(data.held_out) == 500


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        "{}",
        '{"xvalid": ["int", ["1"]]}',
        '{"xvalid": ["int", ["1"]], "xtest": ["int", []]}',
        '{"xvalid": ["int", ["1"]], "xtest": ["int", [2]]}',
        '{"xvalid": ["int", ["1"]], "xtest": ["int", ["-2"]]}',
        '{"xvalid": ["int", ["1"]], "xtest": ["int", ["²"]]}',
        '{"xvalid": ["int", ["1"]], "xtest": ["int", ["1111111111"]]}',
        '{"xvalid": ["str", ["1"]], "xtest": ["int", ["2"]]}',
        '{"xvalid": ["1"], "xtest": ["2"]}',
        b"\xff\xfe\xff".decode("latin1"),
        " " * 4_000_001,
    ],
    ids=range(15),
)
def test_malformed_lists_are_one_clear_line(cifar100, content):
    folder, path = cifar100
    path.write_text(content, encoding="latin1")
    with pytest.raises(ValueError, match=f"^{path}") as caught:
        load("cifar100", folder)
    assert len(str(caught.value).splitlines()) == 1


def test_any_json_is_lists_or_refused(tmp_path):
    path = tmp_path / "list.txt"
    part = st.tuples(st.just("int"), st.lists(st.integers(0, 20).map(str) | st.text(max_size=3)))
    anything = st.recursive(st.none() | st.integers() | st.text() | st.floats(), lambda x: st.lists(x))

    @settings(max_examples=40)
    @given(st.dictionaries(st.sampled_from(KEYS), part | anything) | anything)
    def check(content):
        path.write_text(json.dumps(content))
        lists, complaint = (), None
        try:
            lists = read_lists(path, KEYS)
        except ValueError as error:
            complaint = str(error)
        assert complaint is None or complaint.startswith(str(path))
        assert all(len(part) and part.dtype == torch.int64 for part in lists)

    check()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_balanced_halves(labels):
    labels = torch.tensor(labels)
    halves = balanced_halves(labels)
    assert mismatch(halves, len(labels)) is None
    counts = [labels[half].bincount(minlength=6) for half in halves]
    assert (counts[0] - counts[1]).abs().max() <= 1
    assert abs(len(halves[0]) - len(halves[1])) <= 1


def test_the_digest_is_of_the_positions(cifar100):
    dataset = load("cifar100", cifar100[0])
    split = search_split(dataset, True)
    assert split.sha256 == search_split(dataset, True).sha256
    # The first 200 test images are not the first (and only) 200 training images.
    digests = {search_split(dataset, bilevel).sha256 for bilevel in (True, False)}
    listed = replace(official(dataset), lists=(torch.arange(200), torch.arange(200, 400)))
    swapped = replace(official(dataset), lists=(torch.arange(200, 400), torch.arange(200)))
    digests |= {search_split(d, True).sha256 for d in (listed, swapped)}
    assert len(digests) == 4
    few = Images(dataset.train.pixels[:100], dataset.train.labels[:100])
    assert search_split(replace(dataset, train=few), True).sha256 not in digests


def test_a_subset_is_called_one(cifar100, test_data):
    assert load("cifar100", cifar100[0]).part == "200 of 50000"
    assert load("cifar10", test_data / "cifar").part == "10000 of 50000"
    assert load("digits", Path()).part is None
    assert subset_size(50_000, 10_000, (50_000, 10_000)) is None
    assert subset_size(50_000, 9_999, (50_000, 10_000)) == "9999 of 10000 test images"
    assert subset_size(7, 9, None) is None


def test_a_search_on_a_subset_says_so_and_a_control_sees_no_images(test_data):
    entries = {name: built_in()[name] for name in ("darts", "random-cell")}
    runs = plan(entries, "nasbench201", "paper", ["cifar10"], [0], [], test_data / "cifar", None)
    datasets = {run.config["method"]["name"]: run.config["dataset"] for run in runs}
    assert (datasets["darts"]["origin"], datasets["darts"]["part"]) == ("subset", "10000 of 50000")
    assert datasets["random-cell"] == {"name": "cifar10", "origin": "official"}  # it asks the table


def test_a_plan_reads_a_dataset_once_however_many_runs_there_are(monkeypatch):
    names = []
    monkeypatch.setattr("harness.experiment.plan.load", lambda name, folder: names.append(name) or load(name, folder))
    methods = {name: built_in()[name] for name in ("darts", "gaea-darts-erm", "random-cell")}
    plan(methods, "nasbench201", "quick", ["digits"], [0, 1, 2], [], Path(), None)
    assert names == ["digits"]


def test_a_control_without_a_table_stands_beside_the_methods_that_search():
    methods = {name: built_in()[name] for name in ("darts", "random-cell")}
    runs = plan(methods, "darts", "quick", ["digits"], [0], [], Path(), None)
    named = [(run.config["method"]["name"], run.config["profile"], dataset_name(run.config)) for run in runs]
    assert named == [("darts", "quick", "digits"), ("random-cell", "quick", "digits")]


def test_grouped_images_are_seen():
    shuffled = torch.randint(10, (5000,), generator=torch.Generator().manual_seed(0))
    in_pairs = torch.cat([torch.randint(2, (100,)) + 2 * block for block in range(5)])
    assert is_grouped(shuffled.sort().values)
    assert is_grouped(in_pairs)
    assert not any(map(is_grouped, (shuffled, torch.arange(500) % 2, torch.tensor([0, 1]), torch.tensor([0]))))
    order = mixed_order(500)
    assert torch.equal(order.sort().values, torch.arange(500))
    assert torch.equal(order, mixed_order(500))
    assert not is_grouped(torch.arange(10).repeat_interleave(50)[order])


def test_a_user_may_bring_images_sorted_by_class():
    dataset = load("digits", Path())
    order = dataset.train.labels.argsort(stable=True)
    by_class = replace(dataset, train=dataset.train[order])
    assert search_split(by_class, True).mixed
    assert not search_split(dataset, True).mixed
    split = search_split(by_class, True)
    assert split.sha256 != replace(split, mixed=False).sha256, "another run"
    data = search_data(by_class, True)
    assert torch.equal(data.held_out.labels, data.held_out.labels.sort().values)
    assert not torch.equal(data.validation.labels, data.held_out.labels)
    assert torch.equal(data.validation.labels.sort().values, data.held_out.labels)
    assert torch.equal(search_data(dataset, True).validation.labels, search_data(dataset, True).held_out.labels)
