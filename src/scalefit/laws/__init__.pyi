"""Written by `python -m scalefit.laws.stub`; a test compares."""

from collections.abc import Iterator

from scalefit.core.law import Law
from scalefit.laws import catalogue, procedures
from scalefit.laws.catalogue import find as find
from scalefit.laws.catalogue import get as get
from scalefit.laws.catalogue import names as names
from scalefit.laws.catalogue import table as table
from scalefit.laws.procedures import adaptive_batch as adaptive_batch
from scalefit.laws.procedures import best_pools as best_pools
from scalefit.laws.procedures import best_update_ratio as best_update_ratio
from scalefit.laws.procedures import best_vocabulary as best_vocabulary
from scalefit.laws.procedures import coverage as coverage
from scalefit.laws.procedures import coverage_tail as coverage_tail
from scalefit.laws.procedures import critical_batch as critical_batch
from scalefit.laws.procedures import emergence as emergence
from scalefit.laws.procedures import gradient_noise_scale as gradient_noise_scale
from scalefit.laws.procedures import loss_at_batch as loss_at_batch

gao_autoencoder: Law
mccandlish: Law
mccandlish_rate: Law
lr_surge: Law
shallue: Law
zhang_cbs: Law
rybkin_utd: Law
gan_cbs: Law
kaplan_bcrit: Law
bnsl: Law
alabdulmohsin_m1: Law
alabdulmohsin_m2: Law
alabdulmohsin_m3: Law
alabdulmohsin_m4: Law
sorscher_pruning: Law
chinchilla: Law
gadre_loss: Law
ho_progress: Law
kaplan_nd: Law
kaplan_ns: Law
kaplan_nd_floor: Law
skaling: Law
busbridge_supervised: Law
nested_ces: Law
lr_annealing: Law
lr_annealing_size: Law
multi_power: Law
fsl: Law
busbridge_student: Law
downstream_power: Law
downstream_nd: Law
downstream_pass: Law
ladder_known_ends: Law
clark_routed: Law
joint_moe: Law
routed_floor: Law
krajewski_moe: Law
abnar_moe: Law
tian_leverage: Law
farseer: Law
goyal_utility: Law
rectified_ft: Law
sparsing_law: Law
sparsing_law_silu: Law
monomial: Law
steplaw: Law
deepseek_hp: Law
porian_hp: Law
bergsma_tau: Law
bergsma_weight_decay: Law
diloco_loss: Law
diloco_hp: Law
isoflop_parabola: Law
gadre_error: Law
ladder: Law
log_sigmoid: Law
isik_bleu: Law
owen_sigmoid: Law
scalerl: Law
observational: Law
densing: Law
brandfonbrener_l2l: Law
wang_merging: Law
shukor_additive: Law
shukor_joint: Law
shukor_shares: Law
shukor_joint_mean: Law
ye_mixing: Law
regmix_linear: Law
bimix: Law
dcpt: Law
aghajanyan_mixed: Law
fernandes_multi: Law
longpre_transfer: Law
longpre_languages: Law
gao_best_of_n: Law
gao_rl: Law
pearce_song: Law
mist_penalised: Law
rate_and_batch: Law
power: Law
power_floor: Law
power_rise: Law
log_linear: Law
wukong_power: Law
orhan_visual: Law
laion_compare: Law
zhai_vit: Law
fsc_robot: Law
kumar_precision: Law
kumar_post_training: Law
fp_quant: Law
qat_granularity: Law
ouyang_qid: Law
kbit_inference: Law
kbit_formats: Law
data_quality: Law
unique_data: Law
zhang_finetuning: Law
bethune_forgetting: Law
hilton_intrinsic: Law
tan_rl: Law
muennighoff_repeat: Law
lovelace_repeat: Law
bryant_repeat: Law
passuntil: Law
mirage: Law
monkeys: Law
monkeys_tail: Law
pass_at_k: Law
jones_board: Law
bian_shape: Law
alabdulmohsin_shape: Law
gemstones_shape: Law
ghorbani_nmt: Law
rosenfeld: Law
dynamical_theory: Law
bordelon_tied: Law
frantar_sparse: Law
frantar_eff: Law
panferov_capacity: Law
parscale: Law
michaud_tied: Law
bahri_variance: Law
konz_dimension: Law
superposition_width: Law
hernandez_transfer: Law
hernandez_loss: Law
tao_vocab: Law

class Laws:
    def __getitem__(self, name: str) -> Law: ...
    def __iter__(self) -> Iterator[Law]: ...
    def __len__(self) -> int: ...
    adaptive_batch = staticmethod(procedures.adaptive_batch)
    best_pools = staticmethod(procedures.best_pools)
    best_update_ratio = staticmethod(procedures.best_update_ratio)
    best_vocabulary = staticmethod(procedures.best_vocabulary)
    coverage = staticmethod(procedures.coverage)
    coverage_tail = staticmethod(procedures.coverage_tail)
    critical_batch = staticmethod(procedures.critical_batch)
    emergence = staticmethod(procedures.emergence)
    find = staticmethod(catalogue.find)
    get = staticmethod(catalogue.get)
    gradient_noise_scale = staticmethod(procedures.gradient_noise_scale)
    loss_at_batch = staticmethod(procedures.loss_at_batch)
    names = staticmethod(catalogue.names)
    table = staticmethod(catalogue.table)
    gao_autoencoder: Law
    mccandlish: Law
    mccandlish_rate: Law
    lr_surge: Law
    shallue: Law
    zhang_cbs: Law
    rybkin_utd: Law
    gan_cbs: Law
    kaplan_bcrit: Law
    bnsl: Law
    alabdulmohsin_m1: Law
    alabdulmohsin_m2: Law
    alabdulmohsin_m3: Law
    alabdulmohsin_m4: Law
    sorscher_pruning: Law
    chinchilla: Law
    gadre_loss: Law
    ho_progress: Law
    kaplan_nd: Law
    kaplan_ns: Law
    kaplan_nd_floor: Law
    skaling: Law
    busbridge_supervised: Law
    nested_ces: Law
    lr_annealing: Law
    lr_annealing_size: Law
    multi_power: Law
    fsl: Law
    busbridge_student: Law
    downstream_power: Law
    downstream_nd: Law
    downstream_pass: Law
    ladder_known_ends: Law
    clark_routed: Law
    joint_moe: Law
    routed_floor: Law
    krajewski_moe: Law
    abnar_moe: Law
    tian_leverage: Law
    farseer: Law
    goyal_utility: Law
    rectified_ft: Law
    sparsing_law: Law
    sparsing_law_silu: Law
    monomial: Law
    steplaw: Law
    deepseek_hp: Law
    porian_hp: Law
    bergsma_tau: Law
    bergsma_weight_decay: Law
    diloco_loss: Law
    diloco_hp: Law
    isoflop_parabola: Law
    gadre_error: Law
    ladder: Law
    log_sigmoid: Law
    isik_bleu: Law
    owen_sigmoid: Law
    scalerl: Law
    observational: Law
    densing: Law
    brandfonbrener_l2l: Law
    wang_merging: Law
    shukor_additive: Law
    shukor_joint: Law
    shukor_shares: Law
    shukor_joint_mean: Law
    ye_mixing: Law
    regmix_linear: Law
    bimix: Law
    dcpt: Law
    aghajanyan_mixed: Law
    fernandes_multi: Law
    longpre_transfer: Law
    longpre_languages: Law
    gao_best_of_n: Law
    gao_rl: Law
    pearce_song: Law
    mist_penalised: Law
    rate_and_batch: Law
    power: Law
    power_floor: Law
    power_rise: Law
    log_linear: Law
    wukong_power: Law
    orhan_visual: Law
    laion_compare: Law
    zhai_vit: Law
    fsc_robot: Law
    kumar_precision: Law
    kumar_post_training: Law
    fp_quant: Law
    qat_granularity: Law
    ouyang_qid: Law
    kbit_inference: Law
    kbit_formats: Law
    data_quality: Law
    unique_data: Law
    zhang_finetuning: Law
    bethune_forgetting: Law
    hilton_intrinsic: Law
    tan_rl: Law
    muennighoff_repeat: Law
    lovelace_repeat: Law
    bryant_repeat: Law
    passuntil: Law
    mirage: Law
    monkeys: Law
    monkeys_tail: Law
    pass_at_k: Law
    jones_board: Law
    bian_shape: Law
    alabdulmohsin_shape: Law
    gemstones_shape: Law
    ghorbani_nmt: Law
    rosenfeld: Law
    dynamical_theory: Law
    bordelon_tied: Law
    frantar_sparse: Law
    frantar_eff: Law
    panferov_capacity: Law
    parscale: Law
    michaud_tied: Law
    bahri_variance: Law
    konz_dimension: Law
    superposition_width: Law
    hernandez_transfer: Law
    hernandez_loss: Law
    tao_vocab: Law

laws: Laws
