"""All scenarios, those of one kind of platform together: to change it costs a start."""

from __future__ import annotations

import faults_clients
import faults_content
import faults_kills
import faults_network

SCENARIOS = [
    *faults_kills.SCENARIOS,
    *faults_content.SCENARIOS,
    *faults_clients.SCENARIOS,
    *faults_network.SCENARIOS,
    *faults_kills.EMBEDDED,
]
