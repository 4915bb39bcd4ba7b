# Every target sets up .venv first; nothing is installed outside the checkout.
PYTHON ?= python3
BIN := .venv/bin
# `-m`, as the first line of a script holds no path with blanks or quotes; PATH is for the stages, which call `python`
PY := $(BIN)/python
DVC := $(PY) -m dvc
OUTSIDE := $(PATH)
export PATH := $(CURDIR)/$(BIN):$(PATH)

# OpenMP's spinning threads make torch many times slower on shared cores
export OMP_WAIT_POLICY := PASSIVE
# images that set it have every process compile torch's sources anew, ten seconds each
unexport PYTHONDONTWRITEBYTECODE
export HF_HUB_OFFLINE := 1
export DVC_NO_ANALYTICS := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export MPLBACKEND := agg

.DEFAULT_GOAL := help
.PHONY: help repro demo paper-figures check plots publish try tries params doctor test test-slow torture fuzz lab studio smoke real pretrain greatest-hits weights install lock lint docs wheel

help:                   ## what `make` can do
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | awk -F"|" '{ printf "make %-15s %s\n", $$1, $$2 }'

repro: params           ## the small profile: both stages, sound, tables, report
	$(DVC) repro report

paper-figures: params   ## `make repro`, then every seed and every ablation, and the report with all of them
	$(DVC) repro
	$(DVC) repro --single-item --force report

check: install          ## whether this run agrees with the published one, in ten lines
	@$(PY) -m vf.report.agreement

REVISIONS ?= HEAD workspace
plots: install          ## `dvc plots diff` of REVISIONS as one page that needs no network: runs/plots/index.html
	@$(PY) -m vf.report.plots $(REVISIONS)

publish: install        ## the published run once more, results/small, which git tracks; params.yaml stays as it is
	$(PY) -m vf.aside run=small profile=small

# the settings stay in params.yaml, as those of `dvc exp run -S` do: `git checkout params.yaml`; a value has no blanks here
SET ?=
STAGES ?= report
try: params             ## a run of `dvc exp run` with other values: SET='small.video2rms.model.bins=32 seed=1', STAGES=report
	@$(PY) -m vf.change $(foreach each,$(SET),'$(each)')
	$(DVC) exp run $(STAGES)

tries: install          ## the runs of `dvc exp run`: what was changed, and two numbers
	@$(DVC) exp show --only-changed --no-pager --md \
		--drop '(?!.*foley_audio.e_l1$$|.*predicted.correlation$$|small\.|paper\.|seed|Experiment).*'

params: install         ## params.yaml, before DVC puts its values into commands and paths; without git, DVC is told so
	@git rev-parse --git-dir >/dev/null 2>&1 || test -e .dvc/config.local || printf '[core]\n    no_scm = true\n' > .dvc/config.local
	@$(PY) -m vf.params

demo: install           ## a sample film without sound, then with: runs/demo
	$(PY) -m vf.foley.demo

doctor:                 ## one page on this machine and checkout, the first thing wrong and its remedy at the top; installs nothing
	@if test -x $(PY); then $(PY) -m vf.report.doctor; else $(PYTHON) -m vf.report.doctor; fi

test: install           ## the fast tests, in two processes of one thread
	OMP_NUM_THREADS=1 $(PY) -m pytest -m "not slow" -n 2 --dist worksteal

KILLS ?= 200
torture: install        ## kills and bad files, thousands, into runs/torture.csv; goes on where it stopped. KILLS=0: no kills
	@$(PY) tests/torture.py --kills $(KILLS)

# atheris stands in no requirements, as it has no wheel for every machine; it gets an environment of its own
TARGET ?= session
fuzz: install           ## lets atheris look for files that a parser trips over, until stopped: TARGET, of tests/fuzz.py
	@test -x .fuzz/bin/python || $(PYTHON) -m venv .fuzz
	@.fuzz/bin/python -c 'import atheris' 2>/dev/null || .fuzz/bin/python -m pip install --quiet atheris
	@PYTHONPATH="$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" .fuzz/bin/python tests/fuzz.py "$(TARGET)"

test-slow: install      ## every test
	$(PY) -m pytest

ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
lab: install            ## JupyterLab on the notebooks
	$(PY) -m jupyter lab $(ALLOW_ROOT) notebooks

# Each page has a process of its own. It ends with the page, whose last message bears no XSRF token; where none comes, minutes later.
# ARGS: options of voila, such as --no-browser and --port=8866
studio: install         ## the desk as a page on this machine: a film goes in, its curve is bent, film and wav come out
	$(PY) -m voila --Voila.auto_token=True --Voila.tornado_settings=disable_check_xsrf=True \
		--MappingKernelManager.cull_interval=60 --MappingKernelManager.cull_idle_timeout=600 $(ARGS) vf/studio/page.ipynb

# The whole pipeline in minutes: the small profile with less of everything, in a run of its own (vf/aside.py).
SMOKE := run=smoke profile=small small.timeline.seconds=2.4 small.clips.render_films.count.train=12 small.clips.render_films.count.valid=4 \
	small.clips.render_films.count.test=8 small.sounds.count=48 small.features.encoder.steps=6 \
	small.video2rms.train.steps=6 small.embedders.picture_dims=2 \
	small.rms_controlnet.train.steps=6 small.generate.num_inference_steps=2 small.generate.films=1 small.repeats.seeds=2 \
	small.onset_baseline.train.steps=2 \
	'ablation.video2rms={width_0: {train: {label_width: 0}}, mean_decode: {decode: mean}, regression: {classify: false}}' \
	'ablation.features={flow: {small: [flow], paper: [flow]}}' 'ablation.rms2sound={onsets: {condition: onsets}}'

smoke: install          ## the whole pipeline on a handful of clips: all but `speed`, which measures and does not test
	$(PY) -m vf.aside $(SMOKE) -- ablations benchmark report

# make real FILMS=folder SOUNDS=folder: the whole pipeline on real films, as the run mine-real (REAL_RUN=real: the published
# one, which git tracks). Encoder and Video2RMS learn as one, from the shipped encoder of rendered films; the control net has
# fewer steps, as there is less data. The report comes last: it shows all folds, and does not wait for them by itself. The
# paths may hold anything.
FILMS ?= data/greatest-hits
SOUNDS ?= data/sounds
AUDIO ?= mic
override FILMS := $(value FILMS)
override SOUNDS := $(value SOUNDS)
export FILMS SOUNDS
OWN = $(shell sed -n 's/^run: *["'\'']\{0,1\}\([A-Za-z0-9_.-]*\).*/\1/p' params.yaml)
REAL_RUN ?= $(OWN)-real
REAL = 'run=$(REAL_RUN)' profile=small films.source=greatest_hits 'films.audio=$(AUDIO)' 'audio.sources=[films,folder]' \
	small.features.weights=null 'small.features.size=[384,288]' small.features.pool=4 small.features.start=pretrained/frame_encoder small.features.views=0 \
	small.features.encoder.steps=100 small.features.encoder.lr=2.0e-3 small.repeats.seeds=1 \
	small.video2rms.decode=mu_law small.rms_controlnet.train.steps=400 \
	'small.features.end_to_end={steps: 800, batch: 5, lr: 2.0e-3, weight_decay: 0.02, level: 1.0, joined: 0.0, overlaid: 0.0, hidden: 0.0, dropped: 0.0}'

real: install           ## the pipeline on your own films and sounds: FILMS=folder SOUNDS=folder
	@for stage in video2rms_repeats report; do \
		$(PY) -m vf.aside $(REAL) films.root="$$FILMS" audio.root="$$SOUNDS" -- $$stage || exit; done

# make pretrain ESC10=folder FILMS=folder: the parts that the small profile takes pretrained, trained once by pretrained/recipe.yaml:
# about seven hours; goes on where it stopped
ESC10 ?= data/esc10
pretrain: install       ## VAE, vocoder, CLAP, U-Net and the metrics' networks, into `pretrained`
	$(PY) -m vf.pretrain --real "$(ESC10)" --films "$$FILMS"

greatest-hits: install  ## fetches the data set of Greatest Hits (about 40 GB) from its authors and unpacks it
	$(DVC) update data.dvc
	$(PY) -m vf.data.unpack data/greatest-hits.zip data/greatest-hits

weights: install        ## fetches what the paper profile needs that others trained (about 9 GB) into `weights`
	HF_HUB_OFFLINE=0 $(PY) -m vf.weights all

install: .venv/installed

.venv/installed: export PATH := $(OUTSIDE)
.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet uv
	$(PY) -m uv pip install --quiet --python $(PY) -r requirements.txt
	$(PY) -m uv pip install --quiet --python $(PY) --no-deps -e .
	@# librosa's compiled functions are cached when first imported; two processes that do so at once spoil the cache
	$(PY) -c "import librosa; librosa.onset, librosa.feature.mfcc, librosa.zero_crossings"
	touch $@

lock:                   ## requirements.in -> requirements.txt
	$(PY) -m uv pip compile --universal --python-version 3.11 --quiet requirements.in -o requirements.txt

# executed notebooks of RUN with their outputs, where runs/RUN has them; nothing is executed here
RUN ?= $(OWN)
docs: install           ## the site, docs/_build/html/index.html, without a network; warnings are errors
	$(PY) docs/gather.py "$(RUN)"
	$(PY) -m sphinx -q -W --keep-going -c docs -d docs/_build/doctrees docs/_build/source docs/_build/html

wheel: install          ## what `pip install` takes, into `dist`, with the shipped system inside
	rm -rf build
	$(PY) -m build --no-isolation

lint: install           ## style and types
	$(PY) -m ruff check vf tests docs
	$(PY) -m ruff format --check vf tests docs
	$(PY) -m mypy
