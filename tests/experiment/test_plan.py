"""What `--set` changes, and where."""

from dataclasses import asdict

from harness.benchmarks import BENCHMARKS
from harness.experiment.overrides import default_settings, parse
from methods.darts import Darts
from methods.gdas import Gdas
from methods.random_search import RandomSearch


class SameNames(Darts):
    """With settings called as fields of the protocol."""

    def __init__(self, space, epochs: int = 7, momentum: float = 0.5):
        super().__init__(space)


SETTINGS = {
    name: default_settings(cls)
    for name, cls in {"same-names": SameNames, "gdas": Gdas, "random-search": RandomSearch}.items()
}
NASBENCH201 = BENCHMARKS["nasbench201"]
SUPERNET = asdict(NASBENCH201.default_protocol("quick", "digits", "").protocol)
PROTOCOLS = {
    "same-names": SUPERNET,
    "gdas": SUPERNET,
    "random-search": asdict(NASBENCH201.default_simulation("quick").protocol),
}


def test_scopes_of_settings_and_protocol_do_not_collide():
    changes = parse(
        ["protocol.epochs=3", "same-names.epochs=4", "same-names.protocol.momentum=0.1", "gdas.lr=1"],
        SETTINGS,
        PROTOCOLS,
    )
    assert changes["same-names"].settings == {"epochs": 4}
    assert changes["same-names"].protocol == {"epochs": 3, "momentum": 0.1}
    assert changes["gdas"].settings == {"lr": 1.0}
    assert changes["gdas"].protocol == {"epochs": 3}
    assert changes["random-search"].protocol == {}  # its protocol has no epochs


def test_the_last_override_of_a_field_counts():
    changes = parse(["protocol.epochs=3", "gdas.protocol.epochs=5"], SETTINGS, PROTOCOLS)
    assert (changes["gdas"].protocol["epochs"], changes["same-names"].protocol["epochs"]) == (5, 3)
