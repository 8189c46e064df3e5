"""Published test errors on CIFAR, and where they stand. Data only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One published test error (%) on CIFAR-10, and where it stands."""

    source: str
    model: str
    error: float
    std: float | None = None  # over ``runs``, where the source gives it
    runs: int = 1
    approximate: bool = False  # read off a figure

    def __str__(self) -> str:
        spread = "" if self.std is None else f" ± {self.std:.2f}"
        runs = f" ({self.runs} runs)" if self.runs > 1 else ""
        return f"about {self.error:g}" if self.approximate else f"{self.error:.2f}{spread}{runs}"


PAPER, TECHXZEN, AKAMASTER, NABLA, MARTYN = (
    "He et al. 2015",  # arXiv:1512.03385, table 6; plain networks: read off figure 6
    "techxzen 2019",  # github.com/techxzen/pytorch-residual-networks
    "akamaster 2018",  # github.com/akamaster/pytorch_resnet_cifar10, 200 epochs
    "nabla0001",  # github.com/nabla0001/resnet, 64k iterations
    "a-martyn",  # github.com/a-martyn/resnet: the last epoch of results/*.csv (its README gives the best)
)

ERRORS = (
    Published(PAPER, "resnet20", 8.75),
    Published(PAPER, "resnet32", 7.51),
    Published(PAPER, "resnet44", 7.17),
    Published(PAPER, "resnet56", 6.97),
    Published(PAPER, "resnet110", 6.61, std=0.16, runs=5),
    Published(PAPER, "resnet1202", 7.93),
    Published(PAPER, "plain20", 9.5, approximate=True),
    Published(PAPER, "plain32", 10, approximate=True),
    Published(PAPER, "plain44", 12, approximate=True),
    Published(PAPER, "plain56", 13.5, approximate=True),
    Published(TECHXZEN, "resnet20", 8.74),
    Published(TECHXZEN, "resnet32", 8.30),
    Published(TECHXZEN, "resnet44", 7.16),
    Published(TECHXZEN, "resnet56", 7.41),
    Published(TECHXZEN, "plain20", 10.08),
    Published(TECHXZEN, "plain32", 11.15),
    Published(TECHXZEN, "plain44", 14.12),
    Published(TECHXZEN, "plain56", 15.39),
    Published(AKAMASTER, "resnet20", 8.27),
    Published(AKAMASTER, "resnet32", 7.37),
    Published(AKAMASTER, "resnet44", 6.90),
    Published(AKAMASTER, "resnet56", 6.61),
    Published(AKAMASTER, "resnet110", 6.32),
    Published(AKAMASTER, "resnet1202", 6.18),
    Published(NABLA, "resnet20", 8.51, std=0.22, runs=5),
    Published(NABLA, "resnet56", 7.40, std=0.27, runs=5),
    Published(NABLA, "resnet110", 7.14, std=0.20, runs=5),
    Published(NABLA, "plain20", 9.78, std=0.13, runs=5),
    Published(NABLA, "plain56", 12.95, std=0.22, runs=5),
    Published(MARTYN, "resnet20", 8.04),
    Published(MARTYN, "resnet32", 7.79),
    Published(MARTYN, "resnet44", 7.51),
    Published(MARTYN, "resnet56", 7.46),
    Published(MARTYN, "plain20", 9.69),
    Published(MARTYN, "plain32", 10.04),
    Published(MARTYN, "plain44", 11.56),
    Published(MARTYN, "plain56", 13.07),
)

WIDE = "mbsariyildiz 2018"  # github.com/mbsariyildiz/resnet-pytorch, the wide networks
# Accuracy (%) without and with shortcuts by dataset and depth; a depth that is not there was not reported.
WIDE_ACCURACY = {
    "cifar10": {10: (94.2, 94.4), 18: (94.8, 95.0), 34: (93.5, 95.5), 50: (90.3, 95.0)},
    "cifar100": {10: (75.5, 75.3), 18: (76.7, 79.2), 34: (71.4, 79.4)},
}
