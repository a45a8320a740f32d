"""Run the MQTT broker rumqttd in this process: `python -P rumqttd.py CONFIG.toml`."""

import logging
import sys

from iotcore import Broker

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)  # it logs every packet as an error
    Broker(config_path=sys.argv[1]).run_forever()
