"""What the paper trains: Video2RMS (section 2.1), RMS-ControlNet and RMS2Sound (section 2.2), and how they sample."""
