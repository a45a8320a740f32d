// Towns for orientation: name as its own country writes it, place, and from which zoom it is shown.
export const TOWNS = [
  ["Flensburg", 9.4366, 54.7937, 6], ["Husum", 9.0514, 54.4769, 7], ["Schleswig", 9.5606, 54.5156, 7], ["Niebüll", 8.8288, 54.7866, 8],
  ["Westerland", 8.3047, 54.9079, 7], ["Kappeln", 9.9315, 54.6614, 8], ["Glücksburg", 9.5497, 54.8336, 10], ["Dagebüll", 8.6984, 54.7289, 9],
  ["Bredstedt", 8.9663, 54.6195, 9], ["Tönning", 8.9427, 54.3166, 9], ["Sankt Peter-Ording", 8.6384, 54.3044, 9], ["Wyk auf Föhr", 8.5736, 54.6915, 9],
  ["Leck", 8.9767, 54.7677, 10], ["Harrislee", 9.3778, 54.7970, 11], ["Satrup", 9.6017, 54.6961, 10], ["Süderbrarup", 9.7739, 54.6347, 10],
  ["Aabenraa", 9.4183, 55.0443, 6], ["Sønderborg", 9.7922, 54.9138, 6], ["Tønder", 8.8638, 54.9331, 7], ["Padborg", 9.3572, 54.8248, 9],
  ["Kruså", 9.4010, 54.8497, 10], ["Haderslev", 9.4877, 55.2494, 7], ["Ribe", 8.7740, 55.3280, 8], ["Rødekro", 9.3373, 55.0706, 9],
  ["Gråsten", 9.5950, 54.9194, 9], ["Nordborg", 9.7420, 55.0570, 9], ["Løgumkloster", 8.9520, 55.0570, 9], ["Skærbæk", 8.7690, 55.1560, 9],
  ["Tinglev", 9.2550, 54.9370, 9], ["Højer", 8.6930, 54.9610, 10], ["Rendsburg", 9.6630, 54.3040, 8], ["Eckernförde", 9.8380, 54.4710, 8],
  ["Heide", 9.0930, 54.1960, 8], ["Kiel", 10.1350, 54.3233, 6], ["Esbjerg", 8.4520, 55.4670, 7], ["Kolding", 9.4720, 55.4900, 7],
];
