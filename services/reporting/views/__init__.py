"""The views: each folds the events it handles into tables of its own, for the projector to commit."""

from services.reporting.views.consent import ConsentView
from services.reporting.views.engagement import EngagementView
from services.reporting.views.feedback import FeedbackView
from services.reporting.views.log import LogView
from services.reporting.views.progress import ProgressView
from services.reporting.views.providers import ProvidersView
from services.reporting.views.recipients import RecipientsView
from services.reporting.views.statuses import StatusesView
from services.reporting.views.timeline import TimelineView
from services.reporting.views.tracking_urls import TrackingUrlsView
from shared.eventlog.views import View

VIEWS: tuple[View, ...] = (
    ProgressView(),
    RecipientsView(),
    EngagementView(),
    TimelineView(),
    ProvidersView(),
    LogView(),
    ConsentView(),
    FeedbackView(),
    StatusesView(),
    TrackingUrlsView(),
)
