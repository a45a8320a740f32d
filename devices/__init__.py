"""Everything that speaks for a device: words, decoders, gateway, inventory, simulator, replay."""
