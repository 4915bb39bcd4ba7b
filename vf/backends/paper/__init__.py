"""The paper profile: frozen networks that others trained, with the interface of the small profile."""
