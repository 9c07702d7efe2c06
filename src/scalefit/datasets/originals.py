"""Where the originals of downloadable sets lie, and how each table is read from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from scalefit.datasets import parsing

__all__ = ["ORIGINALS", "Original", "Table"]


Parser = Callable[..., Iterable[Mapping[str, Any]]]


class Table(NamedTuple):
    """A tidy table: the files it is read from, how, and the fingerprint of what must come out.

    The files' own checksums are not known to scalefit, so the table is checked: rows, columns and numbers.
    """

    files: tuple[str, ...]
    parser: Parser
    digest: str
    digits: int = 8


class Original(NamedTuple):
    """A repository's commit, and the tables read from it by their names."""

    commit: str
    tables: Mapping[str, Table]


def _one(
    commit: str, file: str, files: tuple[str, ...], parser: Parser, digest: str, digits: int = 8
) -> Original:
    """Of a set with one table."""
    return Original(commit, {file: Table(files, parser, digest, digits)})


def _columns(text: str) -> dict[str, str]:
    """ "a=A, b=B C" as {"a": "A", "b": "B C"}."""
    return dict(pair.split("=") for pair in text.split(", "))


def _regmix(mixture: str, losses: str, digest: str) -> Table:
    files = (f"data/{mixture}.csv", f"data/{losses}.csv")
    return Table(files, partial(parsing.joined, _REGMIX, "index"), digest, digits=7)


_DCLM = (
    "mmlu_fewshot hellaswag hellaswag_zeroshot arc_easy arc_challenge piqa winogrande lambada_openai boolq "
    "copa jeopardy squad coqa commonsense_qa openbook_qa siqa bigbench_qa_wikidata gsm8k"
)
_LAWS = (
    "Paper, Date, Category, Task, Task details, Architecture, Loss, Dependent Variable, Scaling Variable 1, "
    "Scaling Variable 2, Type, Functional form, Exponent 1, Exponent 2, Irreducible loss, Parameter values"
)
_MIXED = (
    "arxiv freelaw nih_exporter pubmed_central wikipedia_en dm_mathematics github philpapers stackexchange "
    "enron_emails gutenberg_pg_19 pile_cc ubuntu_irc europarl hackernews pubmed_abstracts uspto_backgrounds"
)
_UNTOLD = {"nih_exporter", "philpapers", "enron_emails", "europarl"}
_REGMIX = (
    {"run": "index"}
    | {f"weight_{name}": f"train_the_pile_{name}" for name in _MIXED.split()}
    | {f"loss_{n}": f"metric/the_pile_{n}_val_loss" for n in _MIXED.split() if n not in _UNTOLD}
)
_LINE = (
    _columns("name=Name, architecture=Architecture, pretraining_data=Pretraining Data, tokenizer=Tokenizer")
    | _columns("n_params=Size, n_tokens=Tokens, n_steps=Steps")
    | {
        f"{kind}_val_{name}": f"{source} Validation {kind.upper() if kind == 'bpb' else 'Loss'}"
        for name, source in _columns(
            "c4=C4, the_pile_uc=The Pile UC, refineweb=RefineWeb, slimpajama=Slimpajama, "
            "fineweb_edu=FineWeb-Edu"
        ).items()
        for kind in ("loss", "bpb")
    }
    | {
        f"{kind}_{name}": f"{source} {word}"
        for name, source in _columns(
            "arc_challenge=ARC-Challenge, arc_easy=ARC-Easy, hellaswag=HellaSwag, mmlu=MMLU, "
            "winogrande=Winogrande, piqa=PIQA, social_iqa=Social IQa, commonsenseqa=CommonSenseQA, "
            "copa=COPA, openbookqa=OpenBookQA"
        ).items()
        for kind, word in (("acc", "Accuracy"), ("loss", "Loss"))
        if (kind, name) != ("loss", "mmlu")  # for few models, and in parts
    }
)
_EMERGENT = (
    "parsinlu_qa_2_acc word_unscrambling_2_exact_match ipa_transliterate_2_exact_match "
    "ipa_transliterate_2_bleu arithmetic_3ds_2_acc arithmetic_3da_2_acc arithmetic_2dm_2_acc "
    "arithmetic_2da_2_acc"
)
_SCORES = (
    _columns(
        "model=Model, family=Model Family, n_params_b=Model Size (B), n_tokens_t=Pretraining Data Size (T)"
    )
    | _columns("flops_1e21=FLOPs (1E21), score_mmlu=MMLU, score_arc_c=ARC-C, score_hellaswag=HellaSwag")
    | _columns("score_winograd=Winograd, score_truthfulqa=TruthfulQA, score_gsm8k=GSM8K")
    | _columns("score_xwinograd=XWinograd, score_humaneval=HumanEval")
    | {f"score_{name}": name for name in _EMERGENT.split()}
)
# Those of the thirty models that the tidy tables have.
_TUNED = (
    "MBZUAI/LaMini-GPT-1.5B cerebras/Cerebras-GPT-111M cerebras/Cerebras-GPT-2.7B facebook/bart-large-cnn "
    "facebook/bart-large-xsum facebook/opt-2.7b gpt2-large gpt2-medium gpt2-xl microsoft/phi-2 "
    "microsoft/phi-1_5 google/switch-base-16 google/switch-base-32 google/switch-base-8 "
    "ai-forever/mGPT google/t5-v1_1-base"
)
_TASKS = ("flan", "gigaword", "wmt19")

ORIGINALS: Mapping[str, Original] = {
    "alabdulmohsin_curves": _one(
        "9853680c781781bd8d3de20aa61c7373ce059913",
        "curves.csv",
        tuple(f"revisiting_neural_scaling_laws/data/benchmark.{n}.csv" for n in ("vision", "lang")),
        parsing.curves,
        "8487d5d08f7ae48f588b70b722887db3d00f6d68ffd4a9e9e4b1d6c6b5859a01",
    ),
    "critical_batch_size": _one(
        "c5b509d8cf276bb40388172a08f9d6f644cf44dc",
        "steps_to_target.csv",
        ("plots/chinchilla.ipynb",),
        parsing.notebook_steps,
        "4cc1f4e0d2184c9d394002291d1d48535eb01cfdf14cc93d612308ff40eea1b0",
    ),
    "dclm_models": _one(
        "6d854f4d4e8d204904f8044f7cddfb430fc27499",
        "models.csv",
        ("assets/DCLM_model_database.csv",),
        partial(
            parsing.picked,
            _columns("dataset=Dataset, model=model, n_params=params, n_tokens=tokens")
            | _columns("core=Core, extended=Extended")
            | {f"acc_{name}": name for name in _DCLM.split()},
            count="run",
        ),
        "3ab68db75dce5985369d9c58e76d53f9225129b2b85fd9f794160f35434a14f2",
        digits=6,
    ),
    "gemstones": _one(
        "5f420478f6057b0cbb4d13405fb10ca64675bccb",
        "losses.csv",
        tuple(f"benchmarks/fineweb_{name}_losses_combined.jsonl" for name in ("dclm", "edu")),
        partial(parsing.jsonl_losses, ("dclm", "fineweb_edu")),
        "5b8bd42b41a849cfeafd16fc1fc27f6f2f20fe6db506bec1b320bf49012315a9",
    ),
    "kyo_chinchilla_runs": _one(
        "6e34bdd639e66ed2a987be7a59fb597087a86c1a",
        "runs.csv",
        ("examples/llm/df.csv",),
        partial(parsing.picked, _columns("flops=C, n_params=N, n_tokens=D, loss=loss")),
        "68b0c5b971cbddc506506f593363ea0db66d57a3c46793831c59897da9d57cef",
    ),
    "literature_laws": _one(
        "a4d2d8d06f2aead66913f6492094cec45e472956",
        "laws.csv",
        ("scaling-laws.csv",),
        partial(parsing.picked, {name.lower().replace(" ", "_"): name for name in _LAWS.split(", ")}),
        "5cb98fd0eb2842425b4aea0b9a2340e86a15723a44a6f6e8457adb70df0bcf63",
        digits=10,
    ),
    "llm_line": _one(
        "e57749dab976fbe2dc58596ad1c0f61518ac0644",
        "hf_models.csv",
        ("data/latest_pm_hf.csv",),
        partial(parsing.picked, _LINE, need="Name"),
        "727cc7ce2c1ad69fce897ccd3d0fdffbfed9ef3e67515f023e6592972a2effb6",
        digits=6,
    ),
    "obs_scaling": _one(
        "4d6e1e43fd2635d04654aa77d1df9d5266ea0382",
        "models.csv",
        tuple(f"eval_results/base_llm_{name}_eval.csv" for name in ("benchmark", "emergent_capability")),
        partial(parsing.joined, _SCORES, "Model"),
        "948b922593988a01f3827e9a41115d1fd0451beba0ab3eb8d6a0988aaa495929",
    ),
    "regmix": Original(
        "b004d3a3f39846dcec6b3740da22bcd1ba95a5d0",
        {
            "train_1m.csv": _regmix(
                "train_mixture_1m",
                "train_pile_loss_1m",
                "3856c6f590c03b4fe3e2a623c6efe08c4a551b5f5e3b1227e43cc4a942313f3c",
            ),
            # The mixtures of both tests are the same.
            "test_1m.csv": _regmix(
                "test_mixture_60m",
                "test_pile_loss_1m",
                "4aec14b62fb7149bf66f901c54e4fdb064ce7ffa8623095cd1fa73b7b7989e6a",
            ),
            "test_60m.csv": _regmix(
                "test_mixture_60m",
                "test_pile_loss_60m",
                "2ae726e10411945be1aec3839593463a1c05d8b62b0aa4f3d4d5d0495ee10608",
            ),
            "test_1b.csv": _regmix(
                "test_mixture_1B",
                "test_pile_loss_1B",
                "247361770c081a01e4a5dee81bcf6cc8e28b8bb4fc70d8af478dfeb510630bc9",
            ),
        },
    ),
    "sft_rectified": Original(
        "b7012351b1635c0b276f4a256a3ad02eb3e24a1d",
        {
            "curves.csv": Table(
                tuple(f"benchmark/{task}.csv" for task in _TASKS),
                partial(parsing.fine_tuning, _TUNED.split(), _TASKS),
                "1ec0c6d4b254de8cce05ea54355354ac067cb4e2ba9d12ceca27ecec9e359777",
            ),
            "published_rmsd.csv": Table(
                ("results/rmsd.csv",),
                partial(parsing.fine_tuning_errors, _TUNED.split()),
                "e6e27dd06fb164a521d9e1e0c0494c4a0247c3efa68824c6e76bca17b0762068",
            ),
        },
    ),
    "sldbench_data_constrained": _one(
        "61c9d591b6b11364f27362fd817fcd086d0b0cfd",
        "runs.csv",
        ("data/data_constrained_scaling_law/data.csv",),
        parsing.data_constrained,
        "e636d245d1ebeb64e5f63e5965bafeab260ed41e503090eac98d3da1eabe8f09",
    ),
}
