# Every target sets up .venv first; nothing is installed outside the checkout.
PYTHON ?= python3
BIN := .venv/bin
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"

# OpenMP's spinning threads make torch many times slower on shared cores
export OMP_WAIT_POLICY := PASSIVE
export HF_HUB_OFFLINE := 1
export DVC_NO_ANALYTICS := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export MPLBACKEND := agg

.PHONY: repro paper-figures params doctor test test-slow lab smoke real pretrain greatest-hits weights install lock lint

repro: params           ## the small profile: both stages, sound, tables, report
	$(RUN) dvc repro report

paper-figures: params   ## `make repro`, then every seed and every ablation, and the report with all of them
	$(RUN) dvc repro
	$(RUN) dvc repro --single-item --force report

params: install         ## params.yaml, before DVC puts its values into commands and paths
	@$(RUN) python -m vf.params

doctor:                 ## one page on this machine and checkout, the first thing wrong and its remedy at the top; installs nothing
	@$(RUN) python3 -m vf.report.doctor

test: install           ## the fast tests
	$(RUN) pytest -m "not slow"

test-slow: install      ## every test
	$(RUN) pytest

lab: install            ## JupyterLab on the notebooks
	$(RUN) jupyter lab notebooks

# The whole pipeline in minutes: the small profile with less of everything, in a run of its own. It edits params.yaml in
# place; `git checkout params.yaml` brings the project's own back.
SMOKE := run=smoke small.clips.render_films.count.train=12 small.clips.render_films.count.valid=4 \
	small.clips.render_films.count.test=8 small.sounds.count=48 small.features.encoder.steps=6 \
	small.video2rms.train.steps=6 small.backbone.vae.steps=8 small.backbone.vocoder.steps=8 small.backbone.clap.steps=6 small.backbone.unet.steps=8 \
	small.embedders.dims=4 small.embedders.picture_dims=2 small.embedders.tagger.steps=6 small.embedders.clap.steps=6 \
	small.rms_controlnet.train.steps=6 small.generate.num_inference_steps=3 small.generate.films=1 small.repeats.seeds=2 \
	small.onset_baseline.train.steps=2 \
	$(foreach v,bins_16 bins_32 bins_128 bins_256 width_1 width_5 width_10 width_20 wide normalised other_targets \
		fixed_time,~ablation.video2rms.$(v)) \
	$(foreach v,rgb both,~ablation.features.$(v)) \
	$(foreach v,bins_4 bins_8 bins_16 bins_32 bins_128 bins_256 continuous guidance_1 guidance_3 guidance_5 guided_rms hold steps_5 steps_10 \
		steps_50,~ablation.rms2sound.$(v))

smoke: params
	$(RUN) dvc exp run $(foreach s,$(SMOKE),-S '$(s)')

# make real FILMS=folder SOUNDS=folder: the whole pipeline on real films, as run=real; fewer steps, as there is less data, and
# a frame encoder that starts from the rendered films' (`make repro` first). Like smoke it edits params.yaml in place.
FILMS ?= data/greatest-hits
SOUNDS ?= data/sounds
AUDIO ?= mic
REAL := run=real films.source=greatest_hits films.audio=$(AUDIO) 'audio.sources=[films,folder]' \
	'small.features.size=[384,288]' small.features.pool=4 small.features.start=small small.features.views=3 \
	small.features.encoder.steps=400 small.features.encoder.lr=2.0e-3 small.video2rms.train.steps=300 small.repeats.seeds=1 \
	small.backbone.vae.steps=800 small.backbone.unet.steps=600 small.rms_controlnet.train.steps=400

# a folder's name may hold anything: it goes by the environment, and in quotes to DVC
export FILMS SOUNDS
ROOT := python3 -c 'import os, sys; print("\"" + os.path.abspath(os.environ[sys.argv[1]]).replace("\"", "\\\"") + "\"")'

real: params
	$(RUN) dvc exp run $(foreach s,$(REAL),-S $(s)) \
	-S films.root="$$($(ROOT) FILMS)" -S audio.root="$$($(ROOT) SOUNDS)" report video2rms_repeats video2rms_variants@width_0

# The parts that the small profile takes pretrained, trained once by pretrained/recipe.yaml: tens of hours; goes on where it stopped
ESC10 ?= data/esc10
pretrain: install       ## VAE, vocoder, CLAP, U-Net and the metrics' networks, into `pretrained`
	$(RUN) python -m vf.models.pretrain --real "$(ESC10)"

greatest-hits: install  ## fetches the data set of Greatest Hits (about 40 GB) from its authors and unpacks it
	$(RUN) dvc update data.dvc
	$(RUN) python -m vf.data.unpack data/greatest-hits.zip data/greatest-hits

weights: install        ## fetches what the paper profile needs that others trained (about 9 GB) into `weights`
	HF_HUB_OFFLINE=0 $(RUN) python -m vf.weights all

install: .venv/installed

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $@

lock:                   ## requirements.in -> requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --quiet requirements.in -o requirements.txt

lint: install           ## style and types
	$(RUN) ruff check vf tests
	$(RUN) ruff format --check vf tests
	$(RUN) mypy
