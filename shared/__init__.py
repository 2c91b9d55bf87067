"""What the services share; imports nothing from them."""
