"""Makes the page's committed files anew: MapLibre GL and the outline of the region, both from packages of the npm registry."""
