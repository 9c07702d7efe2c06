"""Where the public tables come from, each written once; their folders are those of SCALEFIT_DATA."""

from __future__ import annotations

from scalefit.bench.records import Data

__all__ = ["SIMULATED", "SOURCES"]

# Folder -> paper, repository, and the licence found there ("none": none is stated).
_TABLES = """
alabdulmohsin_curves | Alabdulmohsin 2022, arXiv:2209.06640 | google-research/google-research | Apache-2.0
bnsl_addition | Caballero 2022, arXiv:2210.14891 | ethancaballero/broken_neural_scaling_laws | none
chinchilla_epoch | Hoffmann 2022, read off, arXiv:2404.10102 | epoch-research/analyzing-chinchilla | none
colpret_curves | Choshen 2024, arXiv:2410.11840 | DongWooLee-Eli/nslpfn | MIT
critical_batch_size | Zhang 2024, arXiv:2410.21676 | hlzhang109/critical-batch-size | MIT
dclm_models | Li 2024, arXiv:2406.11794 | mlfoundations/dclm | MIT
double_descent | Nakkiran 2019, arXiv:1912.02292 | DongWooLee-Eli/nslpfn | MIT
gadre_overtraining | Gadre 2024, arXiv:2403.08540 | mlfoundations/scaling | MIT
gemstones | McLeish 2025, arXiv:2502.06857 | mcleish7/gemstone-scaling-laws | MIT
isoflops | IsoFLOP sweeps of Llama 3, Marin and others | Open-Athena/scaling-law-analysis | none
kyo_chinchilla_runs | Hoffmann 2022, runs read off | kyo-takano/chinchilla | Apache-2.0
llm_line | Mayilvahanan 2025, arXiv:2502.12120 | brendel-group/llm-line | MIT
loss_to_loss | Brandfonbrener 2024, arXiv:2411.12925 | KempnerInstitute/loss-to-loss-notebooks | none
misfitting | Li 2025, arXiv:2502.18969 | hadasah/scaling_laws | none
mixing_laws | Ye 2024, arXiv:2403.16952 | yegcjs/mixinglaws | none
mixture_slimpajama | Explaining Data Mixing Scaling Laws | meiqwq/Explaining-Data-Mixing-Scaling-Laws | none
mpl_curves | Luo 2025, arXiv:2503.12811 | thu-yao-01-luo/MultiPowerLaw | MIT
nist_strd | NIST Statistical Reference Datasets, nonlinear regression | lmfit/lmfit-py | public domain
olmo_ladder | Bhagia 2024, arXiv:2412.04403 | allenai/OLMo-ladder | Apache-2.0
porian_isoflop | Porian 2024, arXiv:2406.19146 | formll/resolving-scaling-law-discrepancies | MIT
quest_quantization | Panferov 2025, arXiv:2502.05003 | IST-DASLab/QuEST | MIT
regmix | Liu 2024, arXiv:2407.01492 | sail-sg/regmix | MIT
sft_rectified | Lin 2024, arXiv:2402.02314 | linhaowei1/Fine-tuning-Scaling-Law | Apache-2.0
sldbench_data_constrained | Muennighoff 2023, arXiv:2305.16264; SLDBench | linhaowei1/SLD | MIT
sldbench_parallel | Chen 2025, arXiv:2505.10475; SLDBench | QwenLM/ParScale | none
sldbench_u_shape | Wu and Lo 2024, arXiv:2410.01692; SLDBench | tony10101105/ExpEmergence | MIT
sldbench_vocab | Tao 2024, arXiv:2407.13623; SLDBench | linhaowei1/SLD | MIT
steplaw | Li 2025, arXiv:2503.04715 | step-law/steplaw | none
"""


def _read() -> dict[str, Data]:
    found = {}
    for line in _TABLES.strip().splitlines():
        name, paper, repository, licence = line.split(" | ")
        found[name] = Data(f"{paper} ({repository})", licence.replace("none", "none stated"), (name,))
    return found


SOURCES = _read()
SIMULATED = Data("simulated from a law's usual coefficients", "none needed")
