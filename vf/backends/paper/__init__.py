"""The paper profile: networks that others trained, frozen, behind the interface of the small profile."""
