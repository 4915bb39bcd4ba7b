"""The listening test (App. D): a page that asks, and a table of what was answered."""
