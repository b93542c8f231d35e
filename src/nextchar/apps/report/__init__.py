"""Reports: runs and the knowledge of their models, as one page or as images: `nextchar report`.

    run directories ─► loaded_runs ─► model_analysis ─► figures, loss_curves ─► report_page, images

Only `report_page` and `images` draw:

    figures.py               charts of what the models know
    held_out.py              calibration, confusions, loss by kind and by context
    images.py                charts as PNG images
    loaded_runs.py           runs read from their directories
    loss_curves.py           charts of the training
    model_analysis.py        everything that is measured of a model
    report.py                runs, analyses and charts together, and as JSON
    report_page.py           the HTML page
    summary.py               the texts and tables of the page
    temperature_samples.py   generated samples, and the share of them that is copied
    watch.py                 the page written once, or again while a run trains
"""
