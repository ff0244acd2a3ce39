"""Objects of machine-learning libraries, made by the libraries themselves: none may be above info, but for those whose state
native code reads, which need trust (PKL021, PKL024) and nothing else.

Run by make external, in an environment with packaging/python-libraries.txt: python library_pickles.py BUILD
python library_pickles.py BUILD --record FOLDER writes the small ones as recipes, which every test run examines.
"""

import collections
import importlib
import json
import os
import pathlib
import pickle
import pickletools
import subprocess
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
CASES = []


def case(native=False, small=True):
    """Of a function that yields (title, object). `small`: worth a recipe."""

    def add(function):
        CASES.append((function, native, small))
        return function

    return add


def only_special(thing, *keep):
    """The object without the attributes that any pickle has, so that a recipe stays short."""
    plain = (type(None), bool, int, float, str)
    for key, value in list(thing.__dict__.items()):
        empty = isinstance(value, (list, dict, tuple)) and not value
        if key not in keep and (type(value) in plain or empty):
            del thing.__dict__[key]
    return thing


def shrunk(module):
    """A module of torch whose tensors have one element."""
    import torch

    for part in module.modules():
        for name, value in list(part._parameters.items()):
            if value is not None:
                part._parameters[name] = torch.nn.Parameter(torch.zeros(1), requires_grad=value.requires_grad)
        for name, value in list(part._buffers.items()):
            if value is not None:
                part._buffers[name] = torch.zeros(1)
    return module


# --- transformers and what stands around it ----------------------------------------------------------------------

def bert():
    import transformers

    return transformers.BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
                                   max_position_embeddings=8)


@case()
def arguments():
    import torch
    import transformers
    import trl
    from sentence_transformers import SentenceTransformerTrainingArguments

    options = {"output_dir": "o", "report_to": "none"}
    yield "transformers.TrainingArguments", only_special(transformers.TrainingArguments(**options))
    yield "transformers.Seq2SeqTrainingArguments", only_special(
        transformers.Seq2SeqTrainingArguments(**options, generation_config=transformers.GenerationConfig()))
    for name in ("SFTConfig", "DPOConfig"):
        yield f"trl.{name}", only_special(getattr(trl, name)(**options, bf16=False))
    yield "sentence_transformers training arguments", only_special(SentenceTransformerTrainingArguments(**options))
    yield "torch.device and dtypes", [torch.device("cuda:0"), torch.float16, torch.Size([2])]
    yield "torch memory formats", [torch.channels_last, torch.preserve_format]


@case()
def transformers_():
    import transformers
    from transformers.modeling_outputs import BaseModelOutput
    from transformers.trainer_pt_utils import AcceleratorConfig

    yield "transformers.BertConfig", only_special(bert(), "hidden_size")
    yield "transformers.GenerationConfig", only_special(transformers.GenerationConfig(), "max_length")
    yield "transformers.BatchEncoding", transformers.BatchEncoding({"input_ids": [[1, 2]], "attention_mask": [[1, 1]]})
    yield "transformers.AddedToken", [transformers.AddedToken("<x>", lstrip=True)]
    yield "transformers outputs", BaseModelOutput(last_hidden_state=(1.0, 2.0))
    yield "transformers.TrainerState", only_special(transformers.TrainerState(), "epoch")
    yield "transformers.EvalPrediction", transformers.EvalPrediction([1], [2])
    yield "transformers enums", [transformers.SchedulerType.LINEAR, transformers.IntervalStrategy.STEPS, AcceleratorConfig()]
    yield "transformers.DynamicCache", transformers.DynamicCache()
    yield "transformers.BitsAndBytesConfig", only_special(transformers.BitsAndBytesConfig(load_in_8bit=True))


@case(small=False)
def transformers_models():
    import peft
    import transformers

    yield "a model of transformers", shrunk(transformers.BertModel(bert()))
    llama = transformers.LlamaConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
                                     max_position_embeddings=8)
    model = transformers.LlamaForCausalLM(llama)
    yield "a causal model", shrunk(model)
    yield "an adapted model", shrunk(peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules=["q_proj"])))


@case(native=True, small=False)
def tokenizers_():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    yield "tokenizers.Tokenizer", tokenizer
    yield "PreTrainedTokenizerFast", PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


@case()
def around_transformers():
    import accelerate
    import datasets
    import huggingface_hub
    import peft
    from sentence_transformers import InputExample, models

    accelerate.Accelerator(cpu=True)
    yield "accelerate.PartialState", accelerate.PartialState()
    yield "accelerate.AcceleratorState", accelerate.state.AcceleratorState()
    yield "accelerate.DistributedType", [accelerate.DistributedType.NO, accelerate.DistributedType.MULTI_GPU]
    yield "peft.LoraConfig", only_special(peft.LoraConfig(r=4, target_modules=["q"]), "r")
    yield "peft.PromptTuningConfig", only_special(peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    yield "sentence_transformers.InputExample", InputExample(texts=["a"], label=1)
    yield "sentence_transformers.Normalize", models.Normalize()
    yield "huggingface_hub.ModelCardData", only_special(huggingface_hub.ModelCardData(language="en"), "language")
    yield "datasets.Features", datasets.Features({"a": datasets.Value("int32"), "b": datasets.ClassLabel(names=["x", "y"])})
    yield "datasets.Split", datasets.Split.TRAIN


# --- torch, what trains it and what looks -------------------------------------------------------------------------

@case()
def lightning_():
    from fsspec.implementations.local import LocalFileSystem
    from omegaconf import OmegaConf

    for name in ("pytorch_lightning", "lightning.pytorch"):
        parsing = importlib.import_module(name + ".utilities.parsing")
        callbacks = importlib.import_module(name + ".callbacks")
        yield f"{name} hyper-parameters", parsing.AttributeDict(lr=0.1, layers=[1, 2])
        yield f"{name} callbacks", {callbacks.ModelCheckpoint: {"monitor": "loss"}, "stop": only_special(callbacks.EarlyStopping("loss"))}
    yield "fsspec.LocalFileSystem", LocalFileSystem()
    configuration = OmegaConf.create({"lr": 0.1, "layers": [1], "name": "${lr}"})
    yield "omegaconf.DictConfig", configuration


@case()
def torch_small():
    from torch import nn

    yield "torch.nn modules without tensors", nn.Sequential(nn.ReLU())
    yield "torch.nn.MSELoss", nn.MSELoss()
    yield "collections.defaultdict of dictionaries", [collections.defaultdict(collections.OrderedDict), collections.defaultdict(list)]


@case(small=False)
def torch_large():
    import torch
    from torch import nn

    modules = [nn.Linear(2, 3), nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Embedding(3, 2), nn.LSTM(2, 3, 2), nn.GRU(2, 3),
               nn.TransformerEncoderLayer(4, 2, 8), nn.MultiheadAttention(4, 2), nn.LayerNorm(2), nn.ModuleDict({"a": nn.Linear(1, 1)}),
               nn.ParameterList([nn.Parameter(torch.zeros(1))]), nn.Transformer(4, 2, 1, 1, 8), nn.DataParallel(nn.Linear(1, 1)),
               nn.utils.spectral_norm(nn.Linear(2, 2)), nn.utils.weight_norm(nn.Linear(2, 2))]
    for module in modules:
        yield f"torch.nn {type(module).__name__}", module
    parameters = [nn.Parameter(torch.zeros(2))]
    for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "LBFGS", "NAdam"):
        optimizer = getattr(torch.optim, name)(parameters, lr=0.1)
        yield f"torch.optim.{name}", optimizer
        yield f"state of torch.optim.{name}", optimizer.state_dict()
    rates = torch.optim.lr_scheduler
    sgd = torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
    for schedule in (rates.StepLR(sgd, 1), rates.CosineAnnealingLR(sgd, 10), rates.OneCycleLR(sgd, 1.0, 10), rates.ReduceLROnPlateau(sgd),
                     rates.CyclicLR(sgd, 0.1, 1.0)):
        yield f"torch.optim {type(schedule).__name__}", schedule
    yield "tensors", [torch.zeros(2, 2).t(), torch.zeros(2, requires_grad=True), torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2, 2).to_sparse()]
    yield "torch.utils.data", torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.zeros(3)), 2)


@case(small=False)
def vision():
    import timm
    import torchvision

    for name in ("resnet18", "mobilenet_v3_small", "efficientnet_b0", "vit_b_16", "densenet121", "inception_v3", "swin_t", "maxvit_t"):
        yield f"torchvision {name}", shrunk(getattr(torchvision.models, name)(weights=None))
    yield "torchvision detection", shrunk(torchvision.models.detection.fasterrcnn_mobilenet_v3_large_fpn(weights=None, weights_backbone=None))
    for name in ("resnet18", "vit_tiny_patch16_224", "efficientnet_b0", "convnext_atto", "swin_tiny_patch4_window7_224", "levit_128s"):
        yield f"timm {name}", shrunk(timm.create_model(name))


@case()
def transforms():
    import torchvision.transforms as t
    from timm.layers import DropPath

    yield "torchvision transforms", t.Compose([t.Resize(4), t.ToTensor(), t.Normalize([0.0], [1.0])])
    yield "timm.layers.DropPath", DropPath(0.1)


# --- trees, words, statistics --------------------------------------------------------------------------------------

def data():
    import numpy

    random = numpy.random.RandomState(0)
    x = random.rand(30, 3)
    return x, (x[:, 0] + random.rand(30) > 1).astype(int)


@case()
def estimators():
    import imblearn.over_sampling
    import lightgbm
    import xgboost

    yield "xgboost.XGBClassifier, not fitted", only_special(xgboost.XGBClassifier(max_depth=3), "max_depth")
    yield "lightgbm.LGBMClassifier, not fitted", only_special(lightgbm.LGBMClassifier(max_depth=3), "max_depth")
    yield "imblearn.RandomOverSampler, not fitted", imblearn.over_sampling.RandomOverSampler()


@case(native=True, small=False)
def boosters():
    import catboost
    import lightgbm
    import xgboost

    x, y = data()
    yield "xgboost.XGBClassifier", xgboost.XGBClassifier(n_estimators=2).fit(x, y)
    yield "lightgbm.Booster", lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(x, y).booster_
    yield "catboost.CatBoostClassifier", catboost.CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False).fit(x, y)


@case(small=False)
def statistics():
    import pandas
    import statsmodels.api
    import statsmodels.formula.api
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import Pipeline
    from sklearn.linear_model import LogisticRegression

    pandas.set_option("mode.string_storage", "python")  # Arrow's buffers are read by native code
    x, y = data()
    yield "statsmodels OLS", statsmodels.api.OLS(y, statsmodels.api.add_constant(x)).fit()
    yield "statsmodels GLM", statsmodels.api.GLM(y, statsmodels.api.add_constant(x), family=statsmodels.api.families.Poisson()).fit()
    frame = pandas.DataFrame(x, columns=list("abc"))
    yield "statsmodels by a formula", statsmodels.formula.api.ols("a ~ b + I(c ** 2)", frame).fit()
    yield "an imblearn pipeline", Pipeline([("s", SMOTE(k_neighbors=2)), ("c", LogisticRegression())]).fit(x, y)


@case()
def words():
    import nltk
    from gensim.corpora import Dictionary
    from gensim.models import Phrases
    from nltk.tag import DefaultTagger, UnigramTagger
    from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTrainer

    texts = [["a", "b"], ["b", "c"]] * 3
    yield "gensim.Dictionary", Dictionary(texts)
    yield "gensim.Phrases", Phrases(texts, min_count=1, threshold=0.1).freeze()
    yield "nltk punkt", PunktSentenceTokenizer(PunktTrainer("Hello there. Mr. X went home. Dr. Y too.").get_params())
    yield "nltk.UnigramTagger", UnigramTagger([[("a", "DT"), ("b", "NN")]], backoff=DefaultTagger("NN"))
    yield "nltk.FreqDist", nltk.FreqDist("abca")
    yield "nltk.LancasterStemmer", nltk.LancasterStemmer()


@case(small=False)
def vectors():
    from gensim.models import FastText, Word2Vec

    texts = [["a", "b", "c"], ["b", "c", "d"]] * 5
    yield "gensim.Word2Vec", Word2Vec(texts, vector_size=4, min_count=1)
    yield "gensim.KeyedVectors", Word2Vec(texts, vector_size=4, min_count=1).wv
    yield "gensim.FastText", FastText(texts, vector_size=4, min_count=1, bucket=10)


# --- scanning and recording ----------------------------------------------------------------------------------------

def scan(steelyard, path):
    """Rules above info, and whether something wasn't decided."""
    done = subprocess.run([steelyard, "scan", "--no-cache", "-f", "json", path], capture_output=True)
    rules, gaps = set(), False
    for record in json.loads(done.stdout)["records"]:
        rules |= {f["rule"] + " " + str(f["data"].get("name", "")) for f in record["statement"]["findings"] if f["severity"] != "info"}
        gaps = gaps or any(c["gaps"] for c in record["statement"]["coverage"])
    return rules, gaps


def recipe(content):
    """The opcodes by their names, without what is stored and never fetched."""
    opcodes = list(pickletools.genops(content))
    fetched = {argument for opcode, argument, _ in opcodes if opcode.name in ("BINGET", "LONG_BINGET")}
    lines = []
    for opcode, argument, _ in opcodes:
        if opcode.name == "FRAME" or opcode.name in ("BINPUT", "LONG_BINPUT") and argument not in fetched:
            continue
        if argument is None:
            lines.append(opcode.name)
        elif isinstance(argument, str) and opcode.name == "GLOBAL":
            lines.append(f"{opcode.name} {argument}")
        elif isinstance(argument, (str, bytes)):
            raw = argument.encode() if isinstance(argument, str) else argument
            text = "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in raw)
            lines.append(f'{opcode.name} "{text}"')
        else:
            lines.append(f"{opcode.name} {argument}")
    return "\n".join(lines)


def dumped(thing):
    try:
        return pickle.dumps(thing, 2)
    except TypeError:  # memory formats of torch
        return pickle.dumps(thing, 4)


def main():
    steelyard = pathlib.Path(sys.argv[1]) / "steelyard"
    record = pathlib.Path(sys.argv[3]) if sys.argv[2:3] == ["--record"] else None
    failures, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for function, native, small in CASES:
            out = ["# Pickles of libraries, recorded by tests/oracle/library_pickles.py: all inert."]
            for title, thing in function():
                if record is not None:
                    if small:
                        out.append(f"\n[[pickle]]\ntitle = \"{title}\"\nrecipe = '''\n{recipe(dumped(thing))}\n'''")
                    continue
                writers = [lambda file, p=p: pickle.dump(thing, file, p) for p in (0, 2, 4, 5)]
                if "torch" in sys.modules:
                    save = sys.modules["torch"].save
                    writers += [lambda file: save(thing, file), lambda file: save(thing, file, _use_new_zipfile_serialization=False)]
                for number, write in enumerate(writers):
                    path = pathlib.Path(folder) / "model"
                    try:
                        with open(path, "wb") as file:
                            write(file)
                    except TypeError:  # types of native code have no protocol 0
                        continue
                    count += 1
                    rules, gaps = scan(steelyard, path)
                    unexpected = {r for r in rules if not native or not r.startswith(("PKL021", "PKL024"))}
                    if unexpected or gaps and not native or native and not rules:
                        failures.append(f"{title}, way {number}: {sorted(unexpected) or rules}, gaps {gaps}")
            if record is not None and small:
                (record / (function.__name__.strip("_") + ".toml")).write_text("\n".join(out) + "\n")
    if record is not None:
        return 0
    print(f"library pickles: {count} files, {len(failures)} with findings", *failures, sep="\n")
    return int(bool(failures) or count < 300)


if __name__ == "__main__":
    sys.exit(main())
