"""The preset `auto`: chooses network and training settings from the data and the budget."""
