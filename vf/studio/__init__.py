"""The desk at which a curve is drawn and bent: its plain methods, its widgets and its editor."""
