-- The variable's values.
SELECT DISTINCT municipality FROM read.board_station WHERE municipality <> '' AND area = '${area}' ORDER BY 1
