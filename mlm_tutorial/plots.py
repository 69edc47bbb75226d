COLORS = {}


def plot_calibration(): ...
