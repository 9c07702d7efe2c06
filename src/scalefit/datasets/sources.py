"""The public data sets: whose each is, under what licence, and why some are not downloaded."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SOURCES", "Source"]


class Source(NamedTuple):
    """Where a public data set comes from; `kept`: why it is not downloaded, empty where it is."""

    name: str
    paper: str
    repository: str
    licence: str
    kept: str = ""

    @property
    def page(self) -> str:
        """Where people find it."""
        return f"https://github.com/{self.repository}"


# Name | paper | repository | licence found there ("none": none is stated) | why it is not downloaded.
_SETS = """
alabdulmohsin_curves | Alabdulmohsin 2022, arXiv:2209.06640 | google-research/google-research | Apache-2.0
bnsl_addition | Caballero 2022, arXiv:2210.14891 | ethancaballero/broken_neural_scaling_laws | none
chinchilla_epoch | Hoffmann 2022, read off, arXiv:2404.10102 | epoch-research/analyzing-chinchilla | none
colpret_curves | Choshen 2024, arXiv:2410.11840 | DongWooLee-Eli/nslpfn | MIT | where
critical_batch_size | Zhang 2024, arXiv:2410.21676 | hlzhang109/critical-batch-size | MIT
dclm_models | Li 2024, arXiv:2406.11794 | mlfoundations/dclm | MIT
double_descent | Nakkiran 2019, arXiv:1912.02292 | DongWooLee-Eli/nslpfn | MIT | pickle
gadre_overtraining | Gadre 2024, arXiv:2403.08540 | mlfoundations/scaling | MIT | many
gemstones | McLeish 2025, arXiv:2502.06857 | mcleish7/gemstone-scaling-laws | MIT
isoflops | IsoFLOP sweeps of Llama 3, Marin and others | Open-Athena/scaling-law-analysis | none
kyo_chinchilla_runs | Hoffmann 2022, runs read off | kyo-takano/chinchilla | Apache-2.0
literature_laws | Table of published laws, Epoch AI | ejmichaud/quantization-model | MIT
llama2_context | Xiong 2023, read off, arXiv:2309.16039 | MilesCranmer/pysr_scaling_laws | none
llm_line | Mayilvahanan 2025, arXiv:2502.12120 | brendel-group/llm-line | MIT
loss_to_loss | Brandfonbrener 2024, arXiv:2411.12925 | KempnerInstitute/loss-to-loss-notebooks | none
misfitting | Li 2025, arXiv:2502.18969 | hadasah/scaling_laws | none
mixing_laws | Ye 2024, arXiv:2403.16952 | yegcjs/mixinglaws | none
mixture_slimpajama | Explaining Data Mixing Scaling Laws | meiqwq/Explaining-Data-Mixing-Scaling-Laws | none
mpl_curves | Luo 2025, arXiv:2503.12811 | thu-yao-01-luo/MultiPowerLaw | MIT | where
nist_strd | NIST Statistical Reference Datasets, nonlinear regression | lmfit/lmfit-py | public domain | where
obs_scaling | Ruan 2024, arXiv:2405.10938 | ryoungj/ObsScaling | Apache-2.0
olmo_ladder | Bhagia 2024, arXiv:2412.04403 | allenai/OLMo-ladder | Apache-2.0 | where
openclip | Cherti 2022, arXiv:2212.07143 | LAION-AI/scaling-laws-openclip | none
porian_isoflop | Porian 2024, arXiv:2406.19146 | formll/resolving-scaling-law-discrepancies | MIT | pickle
pythia_evals | Biderman 2023, arXiv:2304.01373 | EleutherAI/pythia | Apache-2.0 | many
quest_quantization | Panferov 2025, arXiv:2502.05003 | IST-DASLab/QuEST | MIT | where
regmix | Liu 2024, arXiv:2407.01492 | sail-sg/regmix | MIT
sft_rectified | Lin 2024, arXiv:2402.02314 | linhaowei1/Fine-tuning-Scaling-Law | Apache-2.0
sldbench_data_constrained | Muennighoff 2023, arXiv:2305.16264; SLDBench | linhaowei1/SLD | MIT
sldbench_parallel | Chen 2025, arXiv:2505.10475; SLDBench | QwenLM/ParScale | none
sldbench_u_shape | Wu and Lo 2024, arXiv:2410.01692; SLDBench | tony10101105/ExpEmergence | MIT | where
sldbench_vocab | Tao 2024, arXiv:2407.13623; SLDBench | linhaowei1/SLD | MIT | where
sloth_benchmarks | Maia Polo 2024, arXiv:2412.06540 | felipemaiapolo/sloth | MIT | where
steplaw | Li 2025, arXiv:2503.04715 | step-law/steplaw | none
xlstm_isoflop | Beck 2025, arXiv:2510.02228 | NX-AI/xlstm_scaling_laws | none
"""
_WHY = {
    "where": "no lasting address of its original files is known to scalefit",
    "pickle": "its original is a Python pickle, which could run any code when it is read",
    "many": "its original is a file for every run",
    "none": "its source states no licence",
}


def _read() -> dict[str, Source]:
    found = {}
    for line in _SETS.strip().splitlines():
        name, paper, repository, licence, *kept = line.split(" | ")
        why = _WHY[kept[0]] if kept else _WHY.get(licence, "")
        found[name] = Source(name, paper, repository, licence.replace("none", "none stated"), why)
    return found


SOURCES = _read()
