"""Topics, and the notifications that programs publish to them."""
