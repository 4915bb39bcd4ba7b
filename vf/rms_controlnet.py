"""Where `model_index.json` of pipelines saved before 0.2 says that the control net lives."""

from vf.models.rms_controlnet import RMSControlNet  # noqa: F401
